import type { Registry } from '../../schemas/registry.ts';
import { LakeError } from '../../lake/errors.ts';
import type { QueryRequest } from './query.ts';
import { bindReport, type ReportRequest } from '../insight/reportRun.ts';

/**
 * The query of a report, for a reader of these segments (none: all).
 * @throws LakeError report_unknown, report_parameter
 */
export function reportQuery(
  request: ReportRequest,
  reader: { tenantId: string; segmentIds: readonly string[] },
  registry: Registry,
): QueryRequest {
  const { sql, values, types, dates, staged } = bindReport(request, registry);
  const { tenantId, segmentIds } = reader;
  if (request.segment !== undefined && segmentIds.length > 0 && !segmentIds.includes(request.segment)) {
    throw new LakeError(
      'report_parameter',
      `segment ${request.segment} is not readable with this token, which reads ${segmentIds.join(', ')}`,
    );
  }
  return { tenantId, segmentIds, sql, report: { values, types, staged }, ...dates };
}
