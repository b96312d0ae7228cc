import { expect, test } from 'vitest';
import { ServerAge } from '../../stream/serverAge.ts';

test('the first server is trusted, and each later one ten seconds after it was first met', () => {
  const connection = { info: { server_id: 'a' } } as ConstructorParameters<typeof ServerAge>[0];
  const server = new ServerAge(connection);
  expect(server.untrustedForMs(0)).toBe(0);
  connection.info!.server_id = 'b';
  expect(server.untrustedForMs(5_000)).toBe(10_000);
  expect(server.untrustedForMs(14_000)).toBe(1_000);
  expect(server.untrustedForMs(15_000)).toBe(0);
  connection.info!.server_id = 'a';
  expect(server.untrustedForMs(20_000)).toBe(10_000);
});
