import type { AddFile } from '../delta/actions.ts';
import { LakeError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';

/** Data files on this machine's disk, held for one query. */
export interface FileLease {
  /** Absolute paths by path within the table. */
  paths: ReadonlyMap<string, string>;
  release(): Promise<void>;
}

/** Source of local files for queries. */
export interface LocalFiles {
  /** @throws LakeError tables_too_large, storage_unavailable, table_corrupt */
  lease(root: string, files: readonly AddFile[]): Promise<FileLease>;
}

/** Files of a lake in a folder, which are local already. */
export function lakeFolderFiles(storage: Storage): LocalFiles {
  return {
    lease: (root, files) => {
      const paths = new Map(files.map(({ path }) => [path, localPath(storage, `${root}/${path}`)]));
      return Promise.resolve({ paths, release: () => Promise.resolve() });
    },
  };
}

function localPath(storage: Storage, path: string): string {
  const local = storage.localPath(path);
  if (local === undefined) throw new LakeError('internal', `${storage.url} is not a folder, so its files need a cache`);
  return local;
}
