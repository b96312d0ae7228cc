import { ReceiverError } from '../../schemas/errors.ts';

const NAME = 'dryRun';
const MEANINGS = new Map([
  ['1', true],
  ['true', true],
  ['0', false],
  ['false', false],
]);
/** Misspellings of `dryRun`, such as `dry_run`, `DRYRUN`, `amp;dryRun`, `validateOnly`. */
const LOOKS_LIKE_DRY_RUN = /dry|^(test|testing|validate|validateonly|simulate|preview|check|noop|nostore)$/;
const WANTED = 'Send ?dryRun=1 to store nothing, or no parameter to store the events. Nothing was stored.';
const MAX_SHOWN = 40;

/**
 * Read from the query string whether a POST is a dry run.
 * Misspellings are rejected, because a dry run must not store events. Other parameters are ignored: proxies and page tools
 * add their own.
 * @throws ReceiverError parameter_invalid
 */
export function isDryRun(query: string): boolean {
  let dryRun: boolean | undefined;
  for (const [name, value] of new URLSearchParams(`?${query}`)) {
    const letters = name.toLowerCase().replaceAll(/[^a-z]/g, '');
    if (name !== NAME && LOOKS_LIKE_DRY_RUN.test(letters))
      throw invalid(`${shown(name)} is not a parameter of this address.`);
    if (name !== NAME) continue;
    if (dryRun !== undefined) throw invalid(`${NAME} is given twice.`);
    dryRun = MEANINGS.get(value);
    if (dryRun === undefined) throw invalid(`${NAME} must be 1, true, 0 or false, not ${shown(value)}.`);
  }
  return dryRun ?? false;
}

function invalid(fault: string): ReceiverError {
  return new ReceiverError('parameter_invalid', `${fault} ${WANTED}`);
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, MAX_SHOWN).toWellFormed());
}
