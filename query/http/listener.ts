import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { LakeError } from '../../lake/errors.ts';
import { LAKE_ERRORS } from '../../schemas/queryErrors.ts';
import { errorReply } from './errorReply.ts';

/** Longest waits for a caller, in milliseconds; Node looks for late ones at the last interval. */
const TIMEOUTS = {
  headersTimeout: 10_000,
  requestTimeout: 120_000,
  // Above the 600 s of Google's load balancers, the longest of those known. A server that closes first loses requests.
  keepAliveTimeout: 620_000,
  connectionsCheckingInterval: 1_000,
};

const OPTIONS = {
  ...TIMEOUTS,
  maxHeaderSize: 32_768,
  // Without probes, networks forget connections that are idle for minutes.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
  // Node's own refusal has no body; `serve` refuses with ours.
  requireHostHeader: false,
};

/** A request as it arrives. */
export interface Arrival {
  request: IncomingMessage;
  response: ServerResponse;
  /** Why it must be refused before anything else. */
  fault?: LakeError | undefined;
  /** Asks a caller that waits for it (`Expect: 100-continue`) to send the body. */
  askForBody: () => void;
}

/**
 * Node's HTTP server, with our refusals instead of its own.
 * @param serve answers a request
 * @param refused told of each refusal that had no request
 */
export function createListener(serve: (arrival: Arrival) => void, refused: (error: LakeError) => void): Server {
  const nothing = (): void => undefined;
  const server = createServer(OPTIONS, (request, response) =>
    serve({ request, response, fault: faultOf(request), askForBody: nothing }),
  );
  server.on('checkContinue', (request, response) => {
    serve({ request, response, fault: faultOf(request), askForBody: () => response.writeContinue() });
  });
  server.on('checkExpectation', (request, response) => {
    const fault = new LakeError('expectation_failed', LAKE_ERRORS.expectation_failed.help);
    serve({ request, response, fault, askForBody: nothing });
  });
  server.on('connect', (_request, socket: Socket) => {
    refuse(socket, new LakeError('method_not_allowed', 'This server is no proxy.'), refused);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const code = CODES.get(error.code ?? '') ?? (error.code?.startsWith('HPE_') ? 'request_malformed' : undefined);
    if (code === undefined) return void socket.destroy();
    refuse(socket, new LakeError(code, LAKE_ERRORS[code].help, { cause: error }), refused);
  });
  return server;
}

/** Codes of Node for requests that it could not read. */
const CODES = new Map([
  ['HPE_HEADER_OVERFLOW', 'head_too_large'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', 'body_too_large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', 'request_timeout'],
] as const) as ReadonlyMap<string, 'head_too_large' | 'body_too_large' | 'request_timeout'>;

function faultOf({ httpVersionMinor, headers }: IncomingMessage): LakeError | undefined {
  if (httpVersionMinor === 0 || headers.host !== undefined) return undefined;
  return new LakeError('request_malformed', 'The request has no header Host, which HTTP/1.1 needs.');
}

/** Writes a refusal to a connection without a request, and closes it. */
function refuse(socket: Socket, error: LakeError, refused: (error: LakeError) => void): void {
  refused(error);
  const { _httpMessage: answering } = socket as Socket & { _httpMessage?: ServerResponse };
  if (!socket.writable || answering?.headersSent) return void socket.destroy();
  const { status = 400, headers, body = '' } = errorReply(error);
  const lines = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body as string)) });
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'connection: close',
    ...lines.map((line) => line.join(': ')),
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body as string}`, () => socket.destroy());
}
