import { ReceiverError } from '../../schemas/errors.ts';

const NAME = 'dryRun';
const MEANINGS = new Map([
  ['1', true],
  ['true', true],
  ['0', false],
  ['false', false],
]);
/** Letters of a parameter that can only be meant to store nothing: `dry_run`, `DRYRUN`, `amp;dryRun`, `validateOnly`. */
const LOOKS_LIKE_DRY_RUN = /dry|^(test|testing|validate|validateonly|simulate|preview|check|noop|nostore)$/;
const WANTED = 'Send ?dryRun=1 to store nothing, or no parameter to store the events. Nothing was stored.';
const MAX_SHOWN = 40;

/**
 * Whether a POST asks to store nothing, from its query string.
 *
 * A parameter that looks like one for a dry run is refused: a sender who means a dry run must not store events. Others are
 * ignored, because proxies and page tools add theirs to any address.
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
