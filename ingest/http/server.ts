import {
  App,
  us_listen_socket_close,
  us_socket_local_port,
  type HttpRequest,
  type HttpResponse,
  type TemplatedApp,
  type us_listen_socket,
} from 'uWebSockets.js';
import { ReceiverError } from '../../schemas/errors.ts';
import { LIMITS } from '../../schemas/limits.ts';
import type { Logger } from '../../runtime/log.ts';
import { delay } from '../../runtime/retry.ts';
import { failureAnswer, plainFailure, statusLine, type ReceiverAnswer } from '../answers.ts';
import type { ByteBudget } from '../byteBudget.ts';
import type { Intake } from '../intake.ts';
import type { IngestMetrics } from '../metrics.ts';
import { readBody, type BodyReading } from './body.ts';
import { allowOrigin, answerPreflight } from './cors.ts';
import { isDryRun } from './dryRun.ts';
import { framedRoutes, refuseFraming } from './framing.ts';
import { addProbes, type Readiness } from './probes.ts';
import { bodyCoding, readHead, type RequestHead } from './requestHead.ts';

export interface ServerOptions {
  host: string;
  port: number;
  budget: ByteBudget;
  metrics: IngestMetrics;
  log: Logger;
  openApi: string;
  metricsToken: string;
  /** Undefined until keys and streams are open. */
  intake: () => Intake | undefined;
  readiness: () => Readiness;
}

const STARTING_RETRY_SECONDS = 2;
const POLL_MS = 20;

/** HTTP server of the Event Receiver. */
export class IngestServer {
  readonly #app: TemplatedApp;
  readonly #options: ServerOptions;
  #socket: us_listen_socket | undefined;
  #stopping = false;
  #refusing = false;
  #inFlight = 0;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#app = App();
    this.#app.post('/api/events', (response, request) => this.#post(response, request));
    const routes = framedRoutes(this.#app, () => options.metrics.answered('body_invalid'));
    routes.options('/api/events', (response, request) => answerPreflight(response, request.getHeader('origin')));
    routes.any('/api/events', (response) => methodNotAllowed(response, 'POST, OPTIONS'));
    const readiness = (): Readiness => (this.#stopping ? { notReady: 'stopping' } : options.readiness());
    const { openApi, metricsToken, metrics } = options;
    addProbes(routes, { openApi, metricsToken, registry: metrics.registry, readiness });
    routes.any('/*', (response) => answerFailure(response, plainFailure('not_found')));
  }

  /** Number of unanswered requests. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** The port in use, also if port 0 was configured. */
  get port(): number {
    return this.#socket ? us_socket_local_port(this.#socket) : 0;
  }

  /**
   * Listen. Processes that share a port each get some of the connections.
   * @throws Error if another program has the port
   */
  listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#app.listen(host, port, (socket) => {
        if (!socket) return reject(new Error(`cannot listen on ${host}:${port}: it is taken, or not allowed`));
        this.#socket = socket;
        resolve();
      });
    });
  }

  /**
   * Stop without losing an answer.
   * `/readyz` fails first. After `graceMs`, in which load balancers notice, no connection is accepted. Open requests are
   * answered, later ones get `stopping`, and then the connections are closed.
   */
  async close({ graceMs, deadlineMs }: { graceMs: number; deadlineMs: number }): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    await delay(graceMs);
    this.#refusing = true;
    if (this.#socket) us_listen_socket_close(this.#socket);
    this.#socket = undefined;
    const until = performance.now() + deadlineMs;
    while (this.#inFlight > 0 && performance.now() < until) await delay(POLL_MS);
    if (this.#inFlight > 0)
      this.#options.log.warn({ requests: this.#inFlight }, 'stopped before all requests were answered');
    this.#app.close();
  }

  #post(response: HttpResponse, request: HttpRequest): void {
    let open = true;
    let reading: BodyReading | undefined;
    let head: RequestHead | undefined;
    this.#inFlight++;
    const ended = (outcome: string): void => {
      open = false;
      this.#inFlight--;
      this.#options.metrics.answered(outcome);
    };
    const respond = (answer: ReceiverAnswer): void => {
      if (!open) return; // the sender has disconnected; its events are stored
      ended(answer.code);
      this.#send(response, answer, head);
    };
    // First, before any throw: uWebSockets ends the process if a handler neither answers nor sets this.
    response.onAborted(() => {
      if (!open) return;
      ended('aborted');
      reading?.cancel();
    });
    try {
      head = readHead(request);
      if (head.framingFault !== undefined) {
        ended('body_invalid');
        return refuseFraming(response, head.framingFault, head.origin);
      }
      const { key: headerKey, origin, userAgent, contentLength } = head;
      const { intake, tenantId } = this.#admit(head);
      const dryRun = isDryRun(head.query);
      const coding = bodyCoding(head);
      const { budget } = this.#options;
      reading = readBody(response, { contentLength, limit: LIMITS.bodyBytes, budget, tenantId }, (body) => {
        if (body instanceof ReceiverError) return respond(failureAnswer(body));
        intake.receive({ body, coding, headerKey, origin, userAgent, dryRun }, respond);
      });
    } catch (error) {
      if (!(error instanceof ReceiverError))
        this.#options.log.error({ err: error }, 'a request failed by an internal error');
      respond(failureAnswer(error instanceof ReceiverError ? error : plainFailure('internal')));
    }
  }

  /** Check a request by its head. @throws ReceiverError */
  #admit(head: RequestHead): { intake: Intake; tenantId: string | undefined } {
    if (this.#refusing) throw plainFailure('stopping');
    const intake = this.#options.intake();
    if (!intake) throw plainFailure('keys_unavailable', STARTING_RETRY_SECONDS);
    return { intake, tenantId: intake.admit({ headerKey: head.key, origin: head.origin }) };
  }

  #send(response: HttpResponse, answer: ReceiverAnswer, head: RequestHead | undefined): void {
    response.cork(() => {
      response.writeStatus(statusLine(answer.status)).writeHeader('Content-Type', 'application/json');
      if (head?.origin !== undefined) allowOrigin(response, head.origin);
      if (answer.retryAfterSeconds !== undefined) {
        response.writeHeader('Retry-After', String(answer.retryAfterSeconds));
      }
      response.end(answer.body, this.#refusing);
    });
  }
}

function methodNotAllowed(response: HttpResponse, allow: string): void {
  answerFailure(response, new ReceiverError('method_not_allowed', `This address takes only ${allow}.`), allow);
}

function answerFailure(response: HttpResponse, error: ReceiverError, allow?: string): void {
  const { status, body } = failureAnswer(error);
  response.cork(() => {
    response.writeStatus(statusLine(status)).writeHeader('Content-Type', 'application/json');
    if (allow !== undefined) response.writeHeader('Allow', allow);
    response.end(body);
  });
}
