import { statfs } from 'node:fs/promises';
import { Gauge } from 'prom-client';
import type { MetricsRegistry } from './metrics.ts';

/**
 * Adds the free bytes and the size of the file systems that hold some folders.
 *
 * `use` names a folder, such as `work`. A folder that cannot be asked has no value, because an old one would lie.
 */
export function observeDiskSpace(registry: MetricsRegistry, folders: Readonly<Record<string, string>>): void {
  const registers = [registry];
  const labelNames = ['use'];
  const size = new Gauge({ name: 'spor_disk_size_bytes', help: 'Size of the file system.', labelNames, registers });
  new Gauge({
    name: 'spor_disk_free_bytes',
    help: 'Bytes that this process may still write to the file system.',
    labelNames,
    registers,
    async collect() {
      this.reset();
      size.reset();
      for (const [use, folder] of Object.entries(folders)) {
        const found = await statfs(folder).catch(() => undefined); // the folder is gone, or its disk is
        if (!found) continue;
        this.set({ use }, found.bavail * found.bsize);
        size.set({ use }, found.blocks * found.bsize);
      }
    },
  });
}
