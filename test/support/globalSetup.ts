import { findNatsServer } from '../../scripts/natsServer.ts';

/** Fetches nats-server once before the files that start it run side by side. */
export default async function setup(): Promise<void> {
  await findNatsServer({ log: (line) => process.stderr.write(`${line}\n`) });
}
