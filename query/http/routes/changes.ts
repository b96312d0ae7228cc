import type { Registry } from '../../../schemas/registry.ts';
import { listChanges } from '../../../lake/delta/changeList.ts';
import { LakeError } from '../../../lake/errors.ts';
import { readableTable } from '../../marts/readable.ts';
import type { TableCache } from '../../../lake/layout/tableCache.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { checkParameters } from '../parameters.ts';
import { jsonReply, type Route } from '../route.ts';

const PARAMETERS = ['table', 'since'];

/**
 * `GET /api/changes?since=17`: files added to and removed from a table since a version.
 *
 * Without `since` the answer lists all files. `table` is events (the default), quarantine, or the name of a mart.
 */
export function changesRoute(lake: { storage: Storage; tables: TableCache; registry: Registry }): Route {
  return {
    method: 'GET',
    path: '/api/changes',
    access: 'reader',
    parameters: 'own',
    async handle({ query, reader: { tenantId, segmentIds } }) {
      checkParameters(query, PARAMETERS, 'changes_parameter');
      const table = readableTable(query.get('table') ?? 'events', { tenantId, segmentIds }, lake);
      const since = sinceOf(query.get('since'));
      return jsonReply(await listChanges(lake.storage, table, { since, segmentIds }));
    },
  };
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
