import type { Ledger } from './ledger.ts';

const BAR = 20;
const REWRITE_MS = 100;
const LINE_MS = 2_000;

/** Shows the progress of a play: one rewritten line in a terminal, else a line every two seconds. */
export function showProgress(ledger: Ledger, seconds: number, stream: NodeJS.WriteStream): { stop: () => void } {
  const startedMs = Date.now();
  const line = (): string => {
    const elapsed = (Date.now() - startedMs) / 1000;
    const done = Math.min(BAR, Math.round((elapsed / seconds) * BAR));
    const { sent, accepted, refused, resends } = ledger.counts;
    const again = resends > 0 ? `, ${number(resends)} sent again` : '';
    return `${'█'.repeat(done)}${'░'.repeat(BAR - done)} ${elapsed.toFixed(1)} s  ${number(sent)} sent, ${number(accepted)} accepted, ${number(refused)} rejected${again}`;
  };
  const write = stream.isTTY ? () => stream.write(`\r\u001b[K${line()}`) : () => stream.write(`${line()}\n`);
  const timer = setInterval(write, stream.isTTY ? REWRITE_MS : LINE_MS);
  return {
    stop() {
      clearInterval(timer);
      write();
      if (stream.isTTY) stream.write('\n');
    },
  };
}

/** A number such as `12,345`. */
export function number(value: number): string {
  return value.toLocaleString('en-US');
}
