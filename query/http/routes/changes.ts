import type { Registry } from '../../../schemas/registry.ts';
import { listChanges, openListing, type Listing } from '../../../lake/delta/changeList.ts';
import { LakeError } from '../../../lake/errors.ts';
import type { PendingAnswers } from '../../engine/pendingAnswers.ts';
import type { Slots } from '../../engine/slots.ts';
import { createReadableTables } from '../../marts/readable.ts';
import type { TableCache } from '../../../lake/layout/tableCache.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { checkParameters } from '../parameters.ts';
import { JSON_TYPE, jsonReply, type Reply, type ReaderCall, type Route } from '../route.ts';
import { LIST_CHANGES } from '../contract/readOperations.ts';

/** Files of one piece of an answer, about 64 KiB. */
const FILES_A_PIECE = 256;

/**
 * `GET /api/changes?since=17`: files added to and removed from a table since a version.
 *
 * Without `since` the answer lists all files, in pieces as the caller reads them. `table` is events (the default),
 * quarantine, or the name of a mart. The table is read in a slot, and answers under way are bounded.
 */
export function changesRoute(
  lake: { storage: Storage; tables: TableCache; registry: Registry },
  { slots, unsent }: { slots: Slots; unsent: PendingAnswers },
): Route {
  const tableOf = createReadableTables(lake);
  return {
    ...LIST_CHANGES,
    async handle({ query, reader, signal }: ReaderCall) {
      checkParameters(query, Object.keys(LIST_CHANGES.text.query ?? {}), 'changes_parameter');
      const table = tableOf(query.get('table') ?? 'events', reader);
      const since = sinceOf(query.get('since'));
      const { segmentIds } = reader;
      const release = await slots.acquire(reader, signal);
      try {
        if (since !== undefined) return jsonReply(await listChanges(lake.storage, table, { since, segmentIds }));
        return listingReply(await openListing(lake.storage, table, segmentIds), unsent.add(reader));
      } finally {
        release();
      }
    },
  };
}

/** Replies with all files. Its text is that of the other answers (ListedChanges). */
function listingReply(listing: Listing, sent: () => void): Reply {
  const pieces = async function* (): AsyncGenerator<string> {
    try {
      yield* listingText(listing);
    } finally {
      sent();
    }
  };
  return { headers: { 'content-type': JSON_TYPE }, body: pieces() };
}

function* listingText({ url, version, files }: Listing): Generator<string> {
  const facts = JSON.stringify({ url, since: null, version, more: false }).slice(0, -1);
  if (version < 0) return void (yield `${facts},"commits":[]}`);
  yield `${facts},"commits":[{"version":${version},"committedAt":null,"added":[`;
  let piece: string[] = [];
  let before = '';
  for (const file of files()) {
    piece.push(JSON.stringify(file));
    if (piece.length < FILES_A_PIECE) continue;
    yield `${before}${piece.join(',')}`;
    piece = [];
    before = ',';
  }
  if (piece.length > 0) yield `${before}${piece.join(',')}`;
  yield '],"removed":[]}]}';
}

function sinceOf(text: string | null): number | undefined {
  if (text === null) return undefined;
  const version = /^(-1|\d{1,15})$/.test(text) ? Number(text) : NaN;
  if (Number.isNaN(version))
    throw new LakeError(
      'changes_parameter',
      `since must be a version of the table, such as 17, or -1 for before the first.`,
    );
  return version;
}
