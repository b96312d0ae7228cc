import type { Logger } from '../../../runtime/log.ts';
import { LakeError } from '../../../lake/errors.ts';
import { importCatalogue, type CatalogueLake } from '../../catalogue/importCatalogue.ts';
import { createSlots } from '../../engine/slots.ts';
import { catalogueBody } from '../catalogueBody.ts';
import { PUT_CATALOGUE } from '../contract/catalogueOperations.ts';
import { jsonReply, type KeyCall, type Route } from '../route.ts';

/** Imports at once; each has a DuckDB of its own. */
const AT_ONCE = { concurrent: 2, queued: 8 };

/** `PUT /api/catalogue`: products of the segment of a server key. */
export function catalogueRoute(lake: CatalogueLake, { maxBytes, log }: { maxBytes: number; log: Logger }): Route {
  const slots = createSlots(AT_ONCE);
  return {
    ...PUT_CATALOGUE,
    async handle(call: KeyCall) {
      const { tenantId, segmentId, keyId } = call.sender;
      const mode = choice(call.query, 'mode', ['part', 'whole']) ?? 'part';
      const dryRun = choice(call.query, 'dryRun', ['true', 'false']) === 'true';
      const skipBad = choice(call.query, 'skipBad', ['true', 'false']) === 'true';
      const release = await slots.acquire({ tenantId, tokenId: keyId }, call.signal);
      try {
        const lines = (): ReturnType<typeof catalogueBody> => catalogueBody(call, maxBytes);
        const report = await importCatalogue({ tenantId, segmentId, lines, mode, dryRun, skipBad }, lake);
        const { added, changed, removed, bad, version } = report;
        log.info({ tenantId, segmentId, keyId, mode, added, changed, removed, bad, version }, 'catalogue imported');
        if (bad === 0 || skipBad) return jsonReply(report);
        const first = report.faults[0]!;
        const message = `${bad} products are bad, and nothing was stored. The first: ${first.line}, ${first.message}.`;
        throw new LakeError('catalogue_lines_bad', message, { details: { report } });
      } finally {
        release();
      }
    },
  };
}

/** @throws LakeError parameter_invalid */
function choice<const T extends string>(query: URLSearchParams, name: string, choices: readonly T[]): T | undefined {
  const given = query.get(name);
  if (given === null) return undefined;
  const found = choices.find((one) => one === given);
  if (found === undefined) throw new LakeError('parameter_invalid', `${name} must be ${choices.join(' or ')}.`);
  return found;
}
