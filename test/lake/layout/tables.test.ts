import { describe, expect, test } from 'vitest';
import {
  fileName,
  newFilePath,
  parseFileName,
  parsePartition,
  partitionPath,
  tableRoot,
  tableSpec,
} from '../../../lake/layout/tables.ts';
import { checkPath } from '../../../lake/storage/storage.ts';
import { REGISTRY } from '../../support/lakeFixture.ts';

const source = { stream: 'EVENTS_0', firstSequence: 17, lastSequence: 42 };

describe('where tables and files lie', () => {
  test('a table per tenant, a folder per segment and date, a new name per file', () => {
    expect(tableRoot('events', 'demo-shop')).toBe('events/tenant=demo-shop');
    expect(fileName(source, 'abc123')).toBe('EVENTS_0-17-42-abc123.parquet');
    const partition = { segment: 'web', date: '2026-11-23' };
    const path = newFilePath(partition, source);
    expect(path).toMatch(/^segment=web\/date=2026-11-23\/EVENTS_0-17-42-[0-9a-f]{12}\.parquet$/);
    expect(newFilePath(partition, source)).not.toBe(path);
    expect(parsePartition(path)).toEqual(partition);
    expect(parseFileName(path)).toMatchObject(source);
    expect(checkPath(`${tableRoot('events', 'demo-shop')}/${path}`)).toBeTruthy();
  });

  test('ids and dates that would escape their folder are refused', () => {
    for (const id of ['', '..', 'a/b', 'A', '../x', 'a b', 'x'.repeat(64), '-a', "a'b"]) {
      expect(() => tableRoot('events', id)).toThrow(/tenant id/);
      expect(() => partitionPath({ segment: id, date: '2026-11-23' })).toThrow(/segment id/);
    }
    expect(() => partitionPath({ segment: 'web', date: '2026-11-23/..' })).toThrow(/YYYY-MM-DD/);
    expect(() => fileName({ ...source, stream: '../x' }, 'a')).toThrow();
    expect(() => fileName(source, '../x')).toThrow();
    expect(parseFileName('part-0000.snappy.parquet')).toBeUndefined();
    expect(parsePartition('segment=../date=2026-11-23/x.parquet')).toBeUndefined();
  });

  test('columns come with their descriptions', () => {
    const { columns, partitionColumns } = tableSpec('events', 'demo-shop', REGISTRY);
    expect(columns.find(({ name }) => name === 'event_time')?.description).toContain('Time of the event');
    expect(partitionColumns).toEqual(['segment', 'date']);
    expect(tableSpec('quarantine', 'demo-shop', REGISTRY).columns.map(({ name }) => name)).toContain('raw');
  });
});
