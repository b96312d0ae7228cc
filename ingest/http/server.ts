import type { HttpRequest, HttpResponse, TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import { ReceiverError } from '../../schemas/errors.ts';
import { LIMITS } from '../../schemas/limits.ts';
import type { Logger } from '../../runtime/log.ts';
import { delay } from '../../runtime/retry.ts';
import { failureAnswer, plainFailure, type ReceiverAnswer } from '../answers.ts';
import type { ByteBudget } from '../byteBudget.ts';
import type { Coding } from '../events/decompress.ts';
import type { Intake } from '../intake.ts';
import type { IngestMetrics } from '../metrics.ts';
import { readBody, type BodyReading } from './body.ts';
import { optionsAnswer } from './cors.ts';
import { isDryRun } from './dryRun.ts';
import { framingError } from './framing.ts';
import { App, us_listen_socket_close, us_socket_local_port } from './library.ts';
import { plainPath } from '../../runtime/plainPath.ts';
import { operatorPages, type OperatorPage, type Readiness } from './probes.ts';
import { httpFailure, sendLast, sendAnswer, withHeaders, type HttpAnswer } from './httpAnswer.ts';
import { bodyCoding, readHead, type RequestHead } from './requestHead.ts';
import { SlowBodies } from './slowBodies.ts';

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

const EVENTS = '/api/events';
const STARTING_RETRY_SECONDS = 2;
const POLL_MS = 20;
const KEYS_DIFFER = 'X-Instrumentation-Key is given twice, with keys that differ. Send one of them.';

/** A request that may send its body. */
interface Admitted {
  refusal?: undefined;
  intake: Intake;
  /** Tenant of the key in the header. */
  tenantId: string | undefined;
  dryRun: boolean;
  coding: Coding;
}

/** HTTP server of the Event Receiver. */
export class IngestServer {
  readonly #app: TemplatedApp;
  readonly #options: ServerOptions;
  readonly #probes: ReadonlyMap<string, OperatorPage>;
  readonly #slowBodies = new SlowBodies();
  #socket: us_listen_socket | undefined;
  #stopping = false;
  #refusing = false;
  #inFlight = 0;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#app = App();
    const readiness = (): Readiness => (this.#stopping ? { notReady: 'stopping' } : options.readiness());
    const { openApi, metricsToken, metrics } = options;
    this.#probes = operatorPages({ openApi, metricsToken, registry: metrics.registry, readiness });
    this.#app.post(EVENTS, (response, request) => this.#post(response, request));
    this.#app.any('/*', (response, request) => {
      const path = plainPath(request.getUrl());
      if (path === EVENTS && request.getMethod() === 'post') this.#post(response, request);
      else this.#other(response, readHead(request), { path, method: request.getMethod() });
    });
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
        return sendLast(response, httpFailure(framingError(head.framingFault)), head);
      }
      const { key: headerKey, origin, userAgent, traceparent, contentLength } = head;
      const admitted = this.#admit(head);
      const { refusal, tenantId } = admitted;
      if (refusal && contentLength !== undefined) return respond(failureAnswer(refusal));
      const { budget } = this.#options;
      const how = {
        contentLength,
        limit: Math.min(LIMITS.bodyBytes, budget.largest),
        budget,
        slowBodies: this.#slowBodies,
        tenantId,
        refusal,
      };
      reading = readBody(response, how, (body) => {
        if (body instanceof ReceiverError) return respond(failureAnswer(body));
        const { intake, coding, dryRun } = admitted as Admitted;
        intake.receive({ body, coding, headerKey, origin, userAgent, traceparent, dryRun }, respond);
      });
    } catch (error) {
      this.#options.log.error({ err: error }, 'a request failed by an internal error');
      respond(failureAnswer(plainFailure('internal')));
    }
  }

  /** Check a request by its head. */
  #admit(head: RequestHead): Admitted | { refusal: ReceiverError; tenantId?: undefined } {
    try {
      if (this.#refusing) throw plainFailure('stopping');
      const intake = this.#options.intake();
      if (!intake) throw plainFailure('keys_unavailable', STARTING_RETRY_SECONDS);
      if (head.keysDiffer) throw new ReceiverError('key_conflict', KEYS_DIFFER);
      const tenantId = intake.admit({ headerKey: head.key, origin: head.origin });
      return { intake, tenantId, dryRun: isDryRun(head.query), coding: bodyCoding(head) };
    } catch (error) {
      if (error instanceof ReceiverError) return { refusal: error };
      throw error;
    }
  }

  #send(response: HttpResponse, answer: ReceiverAnswer, head: RequestHead | undefined): void {
    const reply = withHeaders(answer);
    const origin = head?.origin;
    if (head && head.contentLength === undefined) return sendLast(response, reply, { origin });
    const last = this.#refusing || answer.code === 'body_timeout';
    sendAnswer(response, reply, { origin, last });
  }

  /** Answer a request that sends no events. */
  #other(response: HttpResponse, head: RequestHead, { path, method }: { path: string; method: string }): void {
    const last = head.framingFault !== undefined || head.contentLength === undefined;
    const sending = { origin: head.origin, headOnly: method === 'head' };
    const send = (reply: HttpAnswer): void => (last ? sendLast : sendAnswer)(response, reply, sending);
    const reply = this.#replyTo(head, path, method);
    if (!(reply instanceof Promise)) return send(reply);
    let open = true;
    response.onAborted(() => (open = false));
    reply.then(
      (ready) => open && send(ready),
      (error: unknown) => {
        this.#options.log.error({ err: error }, 'an answer could not be made');
        if (open) send(httpFailure(plainFailure('internal')));
      },
    );
  }

  #replyTo(head: RequestHead, path: string, method: string): HttpAnswer | Promise<HttpAnswer> {
    const { origin, framingFault, preflightNames: names } = head;
    const probe = this.#probes.get(path);
    const known = probe !== undefined || path === EVENTS;
    const [methods, allow] = path === EVENTS ? ['POST', 'POST, OPTIONS'] : ['GET, HEAD', 'GET, HEAD'];
    const refuse = (error: ReceiverError, headers?: Record<string, string>): HttpAnswer => {
      this.#options.metrics.answered(error.code);
      return httpFailure(error, headers);
    };
    if (framingFault !== undefined) return refuse(framingError(framingFault));
    // A page could not read a 404 if its preflight got one.
    if (method === 'options' && (known || origin !== undefined))
      return optionsAnswer({ methods, allow, origin, names });
    if (!known) return refuse(plainFailure('not_found'));
    if (probe && (method === 'get' || method === 'head')) return probe(head);
    return refuse(new ReceiverError('method_not_allowed', `This address takes only ${allow}.`), { Allow: allow });
  }
}
