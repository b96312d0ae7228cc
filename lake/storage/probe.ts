import { randomUUID } from 'node:crypto';
import { LakeError } from '../errors.ts';
import type { Storage } from './storage.ts';

const RACERS = 32;
const FOLDER = '_probe';

/**
 * Check at start that the store has the properties that the lake needs.
 * They are: atomic creation under a race, reads and lists that see every write, and deletion. Probe objects are removed.
 * @throws LakeError storage_unfit naming the missing property
 */
export async function probeStorage(storage: Storage): Promise<void> {
  const path = `${FOLDER}/${randomUUID()}`;
  const bodies = Array.from({ length: RACERS }, (_, index) => `racer ${index} of ${path}`);
  try {
    const won = await Promise.all(bodies.map((body) => storage.putIfAbsent(path, Buffer.from(body))));
    const winners = bodies.filter((_, index) => won[index]);
    if (winners.length !== 1) {
      throw unfit(
        storage,
        `conditional create (If-None-Match: *): ${winners.length} of ${RACERS} racing writers were told they had created one object`,
      );
    }
    const read = await storage.get(path);
    if (!read || Buffer.from(read).toString() !== winners[0]) {
      throw unfit(storage, `read after write: an object just created reads as ${read ? 'something else' : 'absent'}`);
    }
    if (!(await listed(storage, path))) throw unfit(storage, 'list after write: an object just created is not listed');
    await storage.delete([path]);
    if ((await storage.get(path)) || (await listed(storage, path))) {
      throw unfit(storage, 'delete: an object just deleted is still there');
    }
  } finally {
    await storage.delete([path]);
  }
}

async function listed(storage: Storage, path: string): Promise<boolean> {
  for await (const object of storage.list(path)) if (object.path === path) return true;
  return false;
}

function unfit(storage: Storage, property: string): LakeError {
  return new LakeError('storage_unfit', `${storage.url} cannot hold a lake. It does not have ${property}`);
}
