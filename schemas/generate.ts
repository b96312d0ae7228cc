import { readFileSync, writeFileSync } from 'node:fs';
import { compile, type JSONSchema } from 'json-schema-to-typescript';
import { incompatibilities, type UsedSchemas } from './compatibility.ts';
import { columnsPage, errorsPage, eventsPage } from './docs.ts';
import { receiverDocument } from './openapi/receiver.ts';
import { createRegistry, type Registry } from './registry.ts';

/** The schemas of the last commit. Delete the file before a change that breaks with them. */
const HISTORY = 'generated/history.json';

/**
 * Write the files derived from the schemas: types, OpenAPI document, reference pages.
 * `--check` writes nothing, and fails with the names of files that are not current.
 */
async function main(check: boolean): Promise<void> {
  const registry = createRegistry();
  const used = read(HISTORY);
  const faults = used === undefined ? [] : incompatibilities(JSON.parse(used) as UsedSchemas, registry);
  if (faults.length > 0) {
    process.stderr.write(`schemas do not fit the committed ones (schemas/${HISTORY}): ${faults.join('; ')}\n`);
    process.exitCode = 1;
    return;
  }
  const version = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
    .version;
  const outputs: Record<string, string> = {
    [HISTORY]: `${JSON.stringify(registry.all, null, 2)}\n`,
    'generated/events.ts': await typescript(registry),
    'generated/openapi.json': `${JSON.stringify(receiverDocument(registry, version), null, 2)}\n`,
    '../docs/errors.md': errorsPage(),
    '../docs/events.md': eventsPage(registry),
    '../docs/columns.md': columnsPage(registry),
  };
  const stale = Object.keys(outputs).filter((name) => read(name) !== outputs[name]);
  if (check && stale.length > 0) {
    process.stderr.write(`${stale.join(', ')}: not current, run npm run generate\n`);
    process.exitCode = 1;
  } else if (!check) {
    for (const name of stale) writeFileSync(new URL(name, import.meta.url), outputs[name]!);
  }
}

function read(name: string): string | undefined {
  try {
    return readFileSync(new URL(name, import.meta.url), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** TypeScript interfaces of the latest versions, and their union. */
async function typescript(registry: Registry): Promise<string> {
  const latest = [...registry.latest.values()];
  const interfaces = await Promise.all(
    latest.map(({ type, schema }) => {
      // The rule "session or visitor" is left to the validator: as a union it would make the types unreadable.
      const { anyOf: _sessionOrVisitor, ...plain } = schema;
      // The compiler's own type is of draft 4, where exclusiveMinimum was a boolean; it reads ours all the same.
      return compile(plain as unknown as JSONSchema, type, {
        bannerComment: '',
        additionalProperties: false,
        style: { printWidth: 120, singleQuote: true },
        ignoreMinAndMaxItems: true,
      });
    }),
  );
  return `// Generated from schemas/events by npm run generate. Do not edit.

${interfaces.join('\n')}
/** Any event, as a sender writes it. */
export type Event = ${latest.map(({ type }) => type).join(' | ')};
`;
}

await main(process.argv.includes('--check'));
