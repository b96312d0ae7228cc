import { request as httpRequest, type Agent } from 'node:http';
import type { ContractRequest } from './requests.ts';

/** What a server answered. */
export interface ContractAnswer {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The whole body, or the first piece of an answer without an end. */
  body: Buffer;
}

/**
 * Send a request byte for byte, and read the answer.
 * @throws Error if the server closes the connection without one
 */
export function exchange(
  url: string,
  { method, path, headers, body }: ContractRequest,
  agent: Agent,
): Promise<ContractAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const sent = httpRequest(
      { hostname, port, method, path, agent, headers: { ...headers, ...length } },
      (response) => {
        const pieces: Buffer[] = [];
        const end = (): void => {
          resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(pieces) });
        };
        response.on('data', (piece: Buffer) => {
          pieces.push(piece);
          if (response.headers['content-type']?.startsWith('text/event-stream') !== true) return;
          end();
          sent.destroy();
        });
        response.on('end', end);
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}
