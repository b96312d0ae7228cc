import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet';
import { readState } from '../../lake/maintenance/independentLog.ts';

type Fields = Record<string, unknown>;

/**
 * What other engines need of a table's log, held with nothing of the lake's own code.
 *
 * - Polars needs each `name=value` folder of the path as a partition column, and its value on each file.
 * - deltalake's PyArrow dataset takes a column of `delta.dataSkippingStatsColumns` without bounds for one without rows.
 * - Every engine parses bounds: years of four digits, numbers without an exponent.
 * - Apache Iceberg needs a field id on each column of a data file, given once.
 * @returns the rules that are broken
 */
export async function logFaults(lake: string, root: string): Promise<string[]> {
  const folder = join(lake, root);
  const { metaData, files } = await readState(folder);
  if (!metaData) return [`${root}: no metaData`];
  const faults: string[] = [];
  const stated = root.split('/').flatMap((name) => (name.includes('=') ? [name.split('=') as [string, string]] : []));
  const columns = metaData.partitionColumns as string[];
  const listed = ((metaData.configuration as Fields)['delta.dataSkippingStatsColumns'] ?? '') as string;
  const skipping = new Set(listed.split(',').filter((name) => name !== ''));
  const fields = (JSON.parse(metaData.schemaString as string) as { fields: { name: string }[] }).fields;
  for (const [index, [name]] of stated.entries())
    if (columns[index] !== name) faults.push(`${root}: ${name} is not partition column ${index + 1}`);
  for (const name of [...columns, ...skipping])
    if (!fields.some((field) => field.name === name)) faults.push(`${root}: no column ${name} in the schema`);
  for (const name of skipping) if (columns.includes(name)) faults.push(`${root}: ${name} is a partition column`);
  for (const [path, add] of files) {
    const values = add.partitionValues as Record<string, string>;
    for (const [name, value] of stated) if (values[name] !== value) faults.push(`${path}: ${name} is ${values[name]}`);
    for (const name of columns) if (typeof values[name] !== 'string') faults.push(`${path}: no value of ${name}`);
    faults.push(...boundFaults(String(add.stats), skipping).map((fault) => `${path}: ${fault}`));
  }
  return [...faults, ...(await provenanceFaults(join(folder, '_delta_log')))];
}

/** Data files with a column that has no field id, or the id of another. */
export async function fieldIdFaults(lake: string, root: string): Promise<string[]> {
  const { files } = await readState(join(lake, root));
  const faults: string[] = [];
  for (const path of files.keys()) {
    const { schema } = await parquetMetadataAsync(await asyncBufferFromFile(join(lake, root, path)));
    const ids = schema.slice(1).filter(({ repetition_type: repetition }) => repetition !== 'REPEATED');
    const without = ids.filter(({ field_id: id }) => id === undefined).map(({ name }) => name);
    if (without.length > 0) faults.push(`${root}/${path}: no field id of ${without.join(', ')}`);
    if (new Set(ids.map(({ field_id: id }) => id)).size < ids.length) faults.push(`${root}/${path}: an id twice`);
  }
  return faults;
}

function boundFaults(text: string, skipping: ReadonlySet<string>): string[] {
  const { numRecords, minValues, maxValues, nullCount } = JSON.parse(text) as Record<string, Record<string, unknown>>;
  const faults = /\de[+-]?\d/i.test(text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '')) ? ['a bound has an exponent'] : [];
  for (const name of new Set([...Object.keys(minValues!), ...Object.keys(maxValues!)]))
    if (!skipping.has(name)) faults.push(`${name} has bounds and is not listed`);
  for (const name of skipping) {
    const bounds = [minValues![name], maxValues![name]];
    const hasValues = name in nullCount! && Number(nullCount![name]) < Number(numRecords);
    if (hasValues && bounds.includes(undefined)) faults.push(`${name} is listed and has no bounds`);
    for (const bound of bounds)
      if (typeof bound === 'string' && /^[+-]\d{6}-/.test(bound)) faults.push(`${name} has the bound ${bound}`);
  }
  return faults;
}

/** Commits of Spor without the facts that Spark's history shows. */
async function provenanceFaults(log: string): Promise<string[]> {
  const faults: string[] = [];
  for (const name of (await readdir(log)).filter((one) => /^\d{20}\.json$/.test(one)).sort()) {
    const [line = ''] = (await readFile(join(log, name), 'utf8')).split('\n');
    const { commitInfo } = JSON.parse(line) as { commitInfo?: Fields };
    if (commitInfo?.engineInfo !== 'spor') continue;
    const isWhole = typeof commitInfo.isBlindAppend === 'boolean' && typeof commitInfo.operationMetrics === 'object';
    const hasBase = name.startsWith('0'.repeat(20)) || typeof commitInfo.readVersion === 'number';
    if (!isWhole || !hasBase) faults.push(`${name}: commitInfo lacks what Spark shows`);
  }
  return faults;
}
