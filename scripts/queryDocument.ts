import { readFileSync, writeFileSync } from 'node:fs';
import { queryDocument } from '../query/http/contract/document.ts';
import { OPERATIONS } from '../query/http/contract/operations.ts';

const DOCUMENT = new URL('../schemas/generated/queryOpenapi.json', import.meta.url);
const PACKAGE = new URL('../package.json', import.meta.url);

/** Writes the OpenAPI document of the query server; `--check` only compares. */
function main(check: boolean): void {
  const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string };
  const document = `${JSON.stringify(queryDocument(OPERATIONS, version), null, 2)}\n`;
  if (!check) return writeFileSync(DOCUMENT, document);
  if (readFileSync(DOCUMENT, 'utf8') === document) return;
  process.stderr.write('schemas/generated/queryOpenapi.json: not current, run npm run generate\n');
  process.exitCode = 1;
}

main(process.argv.includes('--check'));
