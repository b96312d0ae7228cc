import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startProxy, type Proxy } from '../../../scripts/chaos/proxy.ts';
import { until } from '../../support/until.ts';

let echo: Server;
let heard: string;
let proxy: Proxy;
let clients: Socket[];

beforeEach(async () => {
  heard = '';
  clients = [];
  echo = createServer((socket) => {
    clients.push(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      heard += chunk.toString();
      socket.write(chunk);
    });
  }).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await startProxy({ host: '127.0.0.1', port: (echo.address() as AddressInfo).port });
});

afterEach(async () => {
  for (const socket of clients) socket.destroy();
  await proxy.close();
  echo.close();
});

/** A client with what it has heard, and whether its connection broke. */
async function client(): Promise<{ socket: Socket; heard: () => string; broken: () => boolean }> {
  const socket = connect(proxy.port, '127.0.0.1');
  clients.push(socket);
  let text = '';
  let broken = false;
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.on('error', () => (broken = true));
  socket.on('close', () => (broken = true));
  await once(socket, 'connect');
  return { socket, heard: () => text, broken: () => broken };
}

test('passes bytes both ways', async () => {
  const one = await client();
  one.socket.write('hello');
  await until(() => one.heard() === 'hello');
  expect(heard).toBe('hello');
});

test('a black hole swallows what is said, and breaks the connection when it ends', async () => {
  const one = await client();
  one.socket.write('before');
  await until(() => one.heard() === 'before');
  proxy.disturb('black-hole');
  one.socket.write(' after');
  const two = await client();
  two.socket.write('new');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(heard).toBe('before');
  proxy.restore();
  await until(() => one.broken() && two.broken());
  const three = await client();
  three.socket.write(' again');
  await until(() => three.heard() === ' again');
  expect(heard).toBe('before again');
});

test('deaf: what the client says arrives, and no answer comes back', async () => {
  const one = await client();
  proxy.disturb('drop-responses');
  one.socket.write('do it');
  await until(() => heard === 'do it');
  proxy.restore();
  await until(() => one.broken());
  expect(one.heard()).toBe('');
});

test('reset breaks connections, old and new', async () => {
  const one = await client();
  one.socket.write('x');
  await until(() => one.heard() === 'x');
  proxy.disturb('reset');
  await until(() => one.broken());
  const socket = connect(proxy.port, '127.0.0.1');
  clients.push(socket);
  await once(socket, 'error');
  proxy.restore();
  const two = await client();
  two.socket.write('y');
  await until(() => two.heard() === 'y');
  expect(heard).toBe('xy');
});

test('delayed bytes come late and in order', async () => {
  const one = await client();
  proxy.disturb('delay');
  const from = performance.now();
  one.socket.write('1');
  await new Promise((resolve) => setTimeout(resolve, 30));
  one.socket.write('2');
  proxy.restore();
  one.socket.write('3');
  await until(() => one.heard() === '123');
  expect(performance.now() - from).toBeGreaterThan(250);
});
