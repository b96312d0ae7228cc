import { isRawNumber } from '../../schemas/normalise/exactNumber.ts';

/** An unfinished list or object: its names, and the number of written values. */
interface Frame {
  container: Record<string | number, unknown>;
  names: string[] | undefined;
  size: number;
  written: number;
}

/**
 * Write a parsed value as JSON that reads back as the same value.
 * Unlike `JSON.stringify` it keeps infinite numbers (as 1e999) and -0, besides the digits of a RawNumber. It does not recurse, so no depth overflows the stack.
 */
export function rawJson(root: unknown): string {
  const frames: Frame[] = [];
  let value = root;
  let out = '';
  for (;;) {
    if (isRawNumber(value)) {
      out += value.rawJSON;
    } else if (typeof value === 'object' && value !== null) {
      const frame = open(value);
      frames.push(frame);
      out += frame.names ? '{' : '[';
    } else {
      out += scalar(value);
    }
    // Close complete lists and objects, then continue with the next value.
    let frame = frames.at(-1);
    while (frame && frame.written === frame.size) {
      out += frame.names ? '}' : ']';
      frames.pop();
      frame = frames.at(-1);
    }
    if (!frame) return out;
    const at = frame.written++;
    if (at > 0) out += ',';
    const name = frame.names?.[at];
    if (name !== undefined) out += `${JSON.stringify(name)}:`;
    value = frame.container[name ?? at];
  }
}

function open(container: object): Frame {
  const names = Array.isArray(container) ? undefined : Object.keys(container);
  const size = names ? names.length : (container as unknown[]).length;
  return { container: container as Frame['container'], names, size, written: 0 };
}

function scalar(value: unknown): string {
  if (value === Infinity) return '1e999';
  if (value === -Infinity) return '-1e999';
  return Object.is(value, -0) ? '-0' : JSON.stringify(value);
}
