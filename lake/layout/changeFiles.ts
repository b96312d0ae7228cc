import { LakeError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { ChangeLog, ChangeRecord } from '../../schemas/change.ts';

const FOLDER = 'changes/records/';

/** Changes of the lake, as two objects each: `changes/records/<id>-begun.json` and `<id>-end.json`. */
export function changeFiles(storage: Storage): ChangeLog {
  const put = async (record: ChangeRecord, part: 'begun' | 'end'): Promise<void> => {
    const path = `${FOLDER}${record.id}-${part}.json`;
    if (!(await storage.putIfAbsent(path, Buffer.from(JSON.stringify(record)))))
      throw new LakeError('storage_object_exists', `${path} is there already, so the change is not recorded`);
  };
  return { begin: (record) => put(record, 'begun'), end: (record) => put(record, 'end') };
}

/**
 * Reads the records of changes of the lake.
 * @param known records by path, to which new ones are added: no object ever changes
 * @throws LakeError storage_unavailable
 */
export async function readChangeFiles(
  storage: Storage,
  known = new Map<string, ChangeRecord>(),
): Promise<ChangeRecord[]> {
  for await (const { path } of storage.list(FOLDER)) {
    if (known.has(path)) continue;
    const body = await storage.get(path);
    const record = body && parse(Buffer.from(body).toString('utf8'));
    if (record) known.set(path, record);
  }
  return [...known.values()];
}

function parse(text: string): ChangeRecord | undefined {
  try {
    const record = JSON.parse(text) as Partial<ChangeRecord> | null;
    return typeof record?.id === 'string' && typeof record.action === 'string' ? (record as ChangeRecord) : undefined;
  } catch {
    return undefined; // not one of ours
  }
}
