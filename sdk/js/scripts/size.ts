import { gzipSync } from 'node:zlib';
import { bundle } from './bundle.ts';

/** 4.8 KB, of 1,000 bytes, after gzip -9: what a page downloads. */
export const CORE_BUDGET_BYTES = 4800;
const CORE = ['index.js', 'index.cjs', 'spor.global.js'];

/** Size of each script file after gzip, bytes. */
export async function gzipSizes(): Promise<Map<string, number>> {
  const files = await bundle();
  return new Map([...files].map(([name, text]) => [name, gzipSync(text, { level: 9 }).length]));
}

/** Prints the sizes; fails when a core is over its budget. */
async function main(): Promise<void> {
  for (const [name, bytes] of await gzipSizes()) {
    const over = CORE.includes(name) && bytes > CORE_BUDGET_BYTES;
    process.stdout.write(`${name.padEnd(16)} ${bytes} bytes gzip${over ? `, over ${CORE_BUDGET_BYTES}` : ''}\n`);
    if (over) process.exitCode = 1;
  }
}

if (process.argv[1] === import.meta.filename) await main();
