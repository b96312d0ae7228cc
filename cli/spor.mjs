#!/usr/bin/env node
// Starts spor.ts. Node runs TypeScript by itself from 22.18 on; an older one hands over to the version this package pins.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);

if (major > 22 || (major === 22 && minor >= 18)) {
  await import('./spor.ts');
} else {
  const node = pinnedNode();
  if (node === undefined) {
    process.stderr.write(
      `spor: Node ${process.versions.node} is too old and the pinned one is not installed: run "npm ci" here, or use Node 22.18 or newer\n`,
    );
    process.exit(69);
  }
  const program = join(dirname(fileURLToPath(import.meta.url)), 'spor.ts');
  const child = spawn(node, [program, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

/** The executable of the npm package `node`, or undefined where npm has not installed it. */
function pinnedNode() {
  const require = createRequire(import.meta.url);
  try {
    const node = join(
      dirname(require.resolve('node/package.json')),
      'bin',
      process.platform === 'win32' ? 'node.exe' : 'node',
    );
    return existsSync(node) ? node : undefined;
  } catch {
    return undefined; // dependencies are not installed
  }
}
