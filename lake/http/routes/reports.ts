import type { Registry } from '../../../schemas/registry.ts';
import { LakeError } from '../../errors.ts';
import { reportQuery } from '../../insight/reportQuery.ts';
import { lastDays, type ReportRequest } from '../../insight/reportRun.ts';
import { listReports } from '../../insight/reports.ts';
import type { Queries } from '../../query/query.ts';
import type { Slots } from '../../query/slots.ts';
import { jsonReply, type Route } from '../route.ts';

/**
 * `GET /api/reports`: what reports there are, with their columns, parameters and definitions. `GET /api/reports/{name}`: one
 * of them over the reader's tenant, with the same limits and slots as a query; `from`, `to` (the last 28 days where absent),
 * `segment` and the parameters of the report stand in the address.
 */
export function reportRoutes(options: { queries: Queries; slots: Slots; registry: Registry }): Route[] {
  const { queries, slots, registry } = options;
  return [
    {
      method: 'GET',
      path: '/api/reports',
      access: 'reader',
      handle: () => jsonReply({ reports: listReports() }),
    },
    {
      method: 'GET',
      path: '/api/reports/:name',
      access: 'reader',
      async handle({ params, query, reader, signal }) {
        const request = reportRequest(params.name!, query, Date.now());
        const asked = reportQuery(request, reader, registry);
        const release = await slots.acquire(reader.tenantId, signal);
        try {
          const { name, from, to } = request;
          return jsonReply({ report: name, from, to, ...(await queries.run({ ...asked, signal })) });
        } finally {
          release();
        }
      },
    },
  ];
}

/** @throws LakeError report_parameter */
function reportRequest(name: string, query: URLSearchParams, nowMs: number): ReportRequest {
  const given = new Map<string, string>();
  for (const [key, value] of query) {
    if (given.has(key)) throw new LakeError('report_parameter', `${key.slice(0, 80)} is given twice`);
    given.set(key, value);
  }
  const { from, to, segment, format = 'json', ...parameters } = Object.fromEntries(given);
  if (format !== 'json') throw new LakeError('report_parameter', `format ${format.slice(0, 80)} is not json`);
  const period = lastDays(nowMs);
  return { name, from: from ?? period.from, to: to ?? period.to, segment, parameters };
}
