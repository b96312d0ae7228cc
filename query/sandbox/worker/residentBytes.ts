import { readFile } from 'node:fs/promises';

const PAGE_BYTES = 4_096;

/** Resident memory of a process in bytes; undefined without Linux's /proc. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  try {
    const [, pages] = (await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ');
    return Number(pages) * PAGE_BYTES;
  } catch {
    return undefined; // the process has ended, or this is not Linux
  }
}
