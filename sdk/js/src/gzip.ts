/**
 * For the tracker's option `compress`: gzip through CompressionStream for bodies from `minBytes` on. In a page of another
 * origin than the receiver's, a compressed request needs a preflight, so small bodies are left alone; so is everything in
 * hosts without CompressionStream.
 */
export function gzip(minBytes = 8192): (body: string) => Promise<ArrayBuffer> | undefined {
  return (body) => {
    if (body.length < minBytes || typeof CompressionStream !== 'function') return undefined;
    return new Response(new Blob([body]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer();
  };
}
