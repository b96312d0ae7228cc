import type { Registry } from '../../../schemas/registry.ts';
import { LakeError } from '../../../lake/errors.ts';
import { reportQuery } from '../../engine/reportQuery.ts';
import { lastDays, type ReportRequest } from '../../insight/reportRun.ts';
import { listReports } from '../../insight/reports.ts';
import type { AnswerFormat } from '../../formats/formats.ts';
import type { AsOf } from '../../engine/resolve.ts';
import type { TenantReader } from '../authorize.ts';
import { jsonReply, type ReaderCall, type Route } from '../route.ts';
import { acceptedFormat, checkAsOf, checkFormat } from './answerFields.ts';
import { answerReply, type Answering } from './answerReply.ts';
import { LIST_REPORTS, RUN_REPORT } from '../contract/readOperations.ts';

/**
 * `GET /api/reports` and `GET /api/reports/{name}`.
 *
 * The first lists the reports with their columns, parameters and definitions. The second answers one over the reader's
 * tenant, with the formats, limits and slots of a query. Its address holds `from`, `to` (absent: the last 28 days),
 * `zone` (absent: the shop's), `before`, `segment`, `format`, `snapshot`, `version` and the report's parameters.
 */
export function reportRoutes(answering: Answering, registry: Registry): Route[] {
  return [
    {
      ...LIST_REPORTS,
      handle: () => jsonReply({ reports: listReports() }),
    },
    {
      ...RUN_REPORT,
      async handle({ request, params, query, reader, signal }: ReaderCall) {
        const { asOf, ...asked } = readAddress(params.name!, query);
        const format = asked.format ?? acceptedFormat(request.headers.accept);
        const zone = asked.zone ?? (await answering.queries.zone(reader.tenantId, segmentOf(asked, reader)));
        const report = { ...lastDays(Date.now(), zone), ...asked.report, zone };
        const { name, from, to } = report;
        const statement = reportQuery(report, reader, registry);
        return answerReply(
          answering,
          { ...statement, tokenId: reader.tokenId, asOf, format, signal },
          { report: name, from, to, zone },
        );
      },
    },
  ];
}

/** The segment whose zone counts: the one asked for, or the only one of a token. */
function segmentOf({ report }: { report: { segment?: string | undefined } }, { segmentIds }: TenantReader) {
  return report.segment ?? (segmentIds.length === 1 ? segmentIds[0] : undefined);
}

/**
 * Reads a report's request from its address.
 * @throws LakeError report_parameter
 */
function readAddress(
  name: string,
  query: URLSearchParams,
): {
  report: Partial<ReportRequest> & { name: string };
  zone: string | undefined;
  asOf: AsOf;
  format: AnswerFormat | undefined;
} {
  const given = new Map<string, string>();
  for (const [key, value] of query) {
    if (given.has(key)) throw new LakeError('report_parameter', `${key.slice(0, 80)} is given twice`);
    given.set(key, value);
  }
  const { from, to, zone, before, segment, format, snapshot, version, ...parameters } = Object.fromEntries(given);
  if (before !== undefined && before !== 'true' && before !== 'false')
    throw new LakeError('report_parameter', 'before must be true or false');
  const period = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  return {
    report: { name, ...period, before: before === 'true', segment, parameters },
    zone,
    asOf: checkAsOf(snapshot, version, 'report_parameter'),
    format: checkFormat(format, 'report_parameter'),
  };
}
