import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A span as OTLP has it in JSON. */
export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: { key: string; value: { stringValue?: string; intValue?: string } }[];
}

interface OtlpBody {
  resourceSpans: {
    resource: { attributes: { value: { stringValue: string } }[] };
    scopeSpans: { spans: OtlpSpan[] }[];
  }[];
}

/** An OpenTelemetry collector over HTTP that keeps what it gets. */
export async function startOtlpCollector(): Promise<{
  url: string;
  spans: (OtlpSpan & { service: string })[];
  stop: () => Promise<void>;
}> {
  const spans: (OtlpSpan & { service: string })[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const isOtlp = request.url === '/v1/traces' && request.headers['content-type'] === 'application/json';
      for (const { resource, scopeSpans } of isOtlp ? (JSON.parse(body) as OtlpBody).resourceSpans : []) {
        const service = resource.attributes[0]!.value.stringValue;
        spans.push(...scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ ...span, service }))));
      }
      response.writeHead(isOtlp ? 200 : 404, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
