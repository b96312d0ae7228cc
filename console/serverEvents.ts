/** One server-sent event. */
export interface ServerEvent {
  name: string;
  data: unknown;
}

/**
 * The events of a `text/event-stream` answer with JSON data.
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html; EventSource cannot send the token's header.
 */
export async function* readServerEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let text = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      const blocks = text.split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) {
        const event = parse(block);
        if (event) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined); // broken off already
  }
}

function parse(block: string): ServerEvent | undefined {
  let name = 'message';
  let data = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice(7);
    if (line.startsWith('data: ')) data += line.slice(6);
  }
  return data === '' ? undefined : { name, data: JSON.parse(data) as unknown };
}
