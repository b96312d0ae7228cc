import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CATALOGUE_FORMATS, columnMap, fileLines, type CatalogueFormat } from '../query/catalogue/fileLines.ts';
import { PRODUCT_FIELDS, type CatalogueReport } from '../schemas/catalogue.ts';
import { dateTimeMs, isDate } from '../schemas/dateTime.ts';
import { command, EXIT, group, UsageError } from './command.ts';
import { withLocalFiles } from './localFiles.ts';
import { requiredId } from './secrets.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';

const importCommand = command({
  usage: `Usage: spor catalogue import <file> --tenant <id> --segment <id> [options]

Imports the products of a segment: CSV, NDJSON or Parquet, a product a line. Fields are ${Object.keys(PRODUCT_FIELDS).join(', ')}.
Each change makes a new version of the product, so reports know what was valid at the time of an order. If a line is bad, nothing
is stored. docs/catalogue.md explains fields and versions.

  --whole               the file is the whole catalogue: products that it does not list are removed. Without it the file
                        changes only the products that it lists, and of them only the fields that it has
  --map <column=field>  a column with another name; may be repeated. A field may be properties.<name>
  --format <format>     ${CATALOGUE_FORMATS.join(', ')} (default: the ending of the file)
  --valid-from <time>   when these versions became valid, as a date (UTC) or a time with its zone (default: now)
  --skip-bad            store the good lines although others are bad
  --dry-run             only say what would change
  --json
`,
  options: {
    tenant: { type: 'string' },
    segment: { type: 'string' },
    whole: { type: 'boolean' },
    map: { type: 'string', multiple: true },
    format: { type: 'string' },
    'valid-from': { type: 'string' },
    'skip-bad': { type: 'boolean' },
    'dry-run': { type: 'boolean' },
  },
  positionals: ['file'],
  async run(values, [name = ''], context) {
    const tenantId = requiredId('--tenant', values.tenant);
    const segmentId = requiredId('--segment', values.segment);
    const format = formatOf(name, values.format);
    const map = columnMap(mapOf(values.map ?? []));
    const validFromMs = validFrom(values['valid-from'], context.now());
    const file = resolve(context.cwd, name);
    if (!(await stat(file).catch(() => undefined))?.isFile()) throw new UsageError(`there is no file ${name}`);
    await requireTenants(context, [tenantId]);
    const report = await withLocalFiles(context, {}, async (lake) => {
      const { importCatalogue } = await import('../query/catalogue/importCatalogue.ts'); // loads DuckDB
      return importCatalogue(
        {
          tenantId,
          segmentId,
          lines: (session) => fileLines(file, format, { map, session }),
          mode: values.whole ? 'whole' : 'part',
          dryRun: values['dry-run'] ?? false,
          skipBad: values['skip-bad'] ?? false,
          validFromMs,
        },
        lake,
      );
    });
    if (map.leftOut.size > 0)
      context.err(`spor: columns left out: ${[...map.leftOut].join(', ')}. Give them a field with --map\n`);
    context.out(values.json ? `${JSON.stringify(report)}\n` : textOf(report));
    return report.bad > 0 && !values['skip-bad'] ? EXIT.failed : EXIT.done;
  },
});

/** @throws UsageError */
function formatOf(file: string, given: string | undefined): CatalogueFormat {
  const ending = given ?? file.slice(file.lastIndexOf('.') + 1).toLowerCase();
  const format = CATALOGUE_FORMATS.find((known) => known === ending || (known === 'ndjson' && ending === 'jsonl'));
  if (format === undefined)
    throw new UsageError(`"${ending}" is no format of a catalogue; give --format ${CATALOGUE_FORMATS.join(' or ')}`);
  return format;
}

/** @throws UsageError */
function mapOf(pairs: readonly string[]): Map<string, string> {
  return new Map(
    pairs.map((pair) => {
      const [column = '', field = ''] = pair.split(/=(?=[^=]*$)/);
      const known = Object.hasOwn(PRODUCT_FIELDS, field) || /^properties\..+/.test(field);
      if (column === '' || !known)
        throw new UsageError(`--map ${pair} is not column=field; fields: ${Object.keys(PRODUCT_FIELDS).join(', ')}`);
      return [column, field];
    }),
  );
}

/** @throws UsageError */
function validFrom(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = dateTimeMs(isDate(text) ? `${text}T00:00:00Z` : text);
  if (ms >= 0 && ms <= nowMs) return ms;
  throw new UsageError(`--valid-from ${text} is no date or time with its zone since 1970 and until now`);
}

function textOf(report: CatalogueReport): string {
  const { lines, added, changed, removed, unchanged, bad, faults, dryRun, version } = report;
  const counts = `${lines} lines: ${added} products added, ${changed} changed, ${removed} removed, ${unchanged} unchanged\n`;
  const shown = faults.map(({ line, code, message }) => [line, code, message]);
  const told = bad === 0 ? '' : `${bad} bad lines\n${formatTable(['line', 'code', 'message'], shown)}`;
  const stored = version !== undefined ? `stored as version ${version}\n` : 'nothing was stored\n';
  return `${told}${bad > 0 && added + changed + removed + unchanged === 0 ? '' : counts}${dryRun ? 'dry run: nothing was stored\n' : stored}`;
}

export const catalogueCommand = group(
  `Usage: spor catalogue import

  import   import the products of a segment from a file
`,
  { import: importCommand },
);
