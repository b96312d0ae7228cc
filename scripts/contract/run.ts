import { Agent } from 'node:http';
import fc from 'fast-check';
import { readDocument } from './document.ts';
import { exchange, type ContractAnswer } from './exchange.ts';
import { createAnswerJudge } from './judgeAnswer.ts';
import { requestsOf, type ContractRequest, type CredentialHeaders } from './requests.ts';
import type { Hints } from './values.ts';

export interface ContractRun {
  url: string;
  requests: number;
  seed: number;
  credentials: readonly CredentialHeaders[];
  hints: Hints;
  /** Called with each answer, for counts of what was accepted. */
  onAnswer?: (request: ContractRequest, answer: ContractAnswer) => void;
}

export interface ContractReport {
  requests: number;
  /** Number of answers by status. */
  statuses: Record<number, number>;
  /** Answers that the document does not describe. */
  outside: { fault: string; request: string }[];
}

const AT_ONCE = 4;
const SHOWN = 400;
/** Bytes of a body that fit the buffers of a connection. */
const MOST_BUFFERED = 65_536;

/**
 * Send requests made from the document of a server, and compare each answer with it.
 * The same seed makes the same requests, but for times and credentials.
 */
export async function runContract({
  url,
  requests,
  seed,
  credentials,
  hints,
  onAnswer,
}: ContractRun): Promise<ContractReport> {
  const document = await readDocument(url);
  const judge = createAnswerJudge(document);
  const arbitrary = requestsOf({ document, hints, nowMs: Date.now() }, credentials);
  const waiting = fc.sample(arbitrary, { numRuns: requests, seed }).reverse();
  const report: ContractReport = { requests: 0, statuses: {}, outside: [] };
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const note = (request: ContractRequest, fault: string): void => {
    const { method, path, headers, body } = request;
    const text = `${method} ${path} ${JSON.stringify(headers)} ${body?.toString().slice(0, SHOWN) ?? ''}`;
    report.outside.push({ fault, request: text });
  };
  const work = async (): Promise<void> => {
    for (let request = waiting.pop(); request; request = waiting.pop()) {
      report.requests++;
      try {
        const answer = await exchange(url, request, agent);
        report.statuses[answer.status] = (report.statuses[answer.status] ?? 0) + 1;
        onAnswer?.(request, answer);
        const fault = judge(request, answer);
        if (fault !== undefined) note(request, fault);
      } catch (error) {
        // A server need not read a body that it has refused; its answer may be lost with the connection (RFC 9112 §9.6).
        if ((request.body?.length ?? 0) > MOST_BUFFERED) continue;
        note(request, `no answer: ${(error as Error).message}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  agent.destroy();
  return report;
}
