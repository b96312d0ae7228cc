import { readFileSync } from 'node:fs';
import { command, EXIT } from './command.ts';

export const version = command({
  usage: 'Usage: spor version [--json]\n',
  options: {},
  run({ json }, _, { out }) {
    const spor = sporVersion();
    out(
      json
        ? `${JSON.stringify({ spor, node: process.versions.node })}\n`
        : `spor ${spor} (Node ${process.versions.node})\n`,
    );
    return Promise.resolve(EXIT.done);
  },
});

/** Version of this package. */
export function sporVersion(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
