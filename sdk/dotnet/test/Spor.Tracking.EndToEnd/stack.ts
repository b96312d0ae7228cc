import { createInterface } from 'node:readline';
import { startStack } from '../../../../scripts/stack/stack.ts';

/**
 * Runs nats-server, ingest, processor and the query server on free ports in the folder given, for the tests beside this file.
 * Prints one line of JSON when all are ready, answers `processes` on standard input with the pids at that moment, and stops
 * everything when standard input ends.
 */
const dir = process.argv[2];
if (!dir) throw new Error('usage: node stack.ts <folder>');

const log = (line: string): void => void process.stderr.write(`${line}\n`);
const stack = await startStack({ dir, env: process.env, ports: 'free', restart: true, log });
const { ingestUrl, queryUrl, env } = stack;
process.stdout.write(`${JSON.stringify({ ingestUrl, queryUrl, env })}\n`);
try {
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'processes') process.stdout.write(`${JSON.stringify(stack.processes())}\n`);
  }
} finally {
  await stack.stop();
}
