import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { boundConnections, connectionLimit, openFilesLimit } from '../../runtime/connections.ts';
import { until } from '../support/until.ts';

let server: Server | undefined;
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server?.close();
  server?.closeAllConnections();
});

async function listen(most: number): Promise<number> {
  server = createServer((request, response) => {
    if (request.url !== '/slow') response.end('answered');
  });
  boundConnections(server, most);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined); // the server may close it
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

test('the limit leaves a reserve of open files', () => {
  expect([256, 1_024, 2_048, 65_536, Infinity].map(connectionLimit)).toEqual([128, 512, 1_536, 4_096, 4_096]);
  expect(openFilesLimit()).toBeGreaterThan(0);
});

test('silent connections give way to new ones, and to no one else does a request under way', async () => {
  const port = await listen(4);
  const slow = await open(port);
  slow.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(server!, 'request');
  for (let number = 0; number < 40; number++) await open(port);
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  expect(await answer.text()).toBe('answered');
  await until(() => sockets.filter((socket) => !socket.destroyed).length <= 5);
  expect(slow.destroyed).toBe(false);
});

test('with nothing but requests under way a new connection is closed', async () => {
  const port = await listen(2);
  for (let number = 0; number < 2; number++) {
    const slow = await open(port);
    slow.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(server!, 'request');
  }
  const late = connect(port, '127.0.0.1');
  sockets.push(late);
  late.on('error', () => undefined).resume();
  late.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(late, 'close');
  expect([late.bytesRead, sockets[0]!.destroyed, sockets[1]!.destroyed]).toEqual([0, false, false]);
});
