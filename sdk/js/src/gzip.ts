/**
 * Create a gzip function for the tracker's option `compress`.
 *
 * Bodies below `minBytes` stay as they are: a compressed request to another origin needs a preflight. Hosts without
 * CompressionStream compress nothing.
 */
export function gzip(minBytes = 8192): (body: string) => Promise<ArrayBuffer> | undefined {
  return (body) => {
    if (body.length < minBytes || typeof CompressionStream !== 'function') return undefined;
    return new Response(new Blob([body]).stream().pipeThrough(new CompressionStream('gzip'))).arrayBuffer();
  };
}
