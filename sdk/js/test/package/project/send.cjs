const http = require('node:http');
const zlib = require('node:zlib');

async function answer(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { events } = JSON.parse(zlib.gunzipSync(Buffer.concat(chunks)).toString());
  process.stdout.write(JSON.stringify(events));
  response.writeHead(202, { 'content-type': 'application/json' });
  response.end('{"receiptId":"r","accepted":1,"rejected":[]}');
}

/** Sends one event to a server of its own and prints what came. */
exports.send = async (createTracker, gzip) => {
  const server = http.createServer((request, response) => void answer(request, response));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${server.address().port}`;
  const tracker = createTracker({ endpoint, instrumentationKey: 'ik_test', compress: gzip(1) });
  tracker.productClicked({ productId: 'SKU-1' });
  await tracker.close();
  if (tracker.stats().queued) throw new Error('not delivered');
  server.closeAllConnections();
  server.close();
};
