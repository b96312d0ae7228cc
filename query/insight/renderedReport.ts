import type { Registry } from '../../schemas/registry.ts';
import { findReport, renderReport, reportBody, type Report } from './reports.ts';
import { createStages, stagesReadBy, type Stage, type StagedSql } from './stages.ts';

/** The statements of a report. */
export interface RenderedReport {
  report: Report;
  /** Over `events_all` and `quarantine_all`. */
  sql: string;
  /** The report over stages, if it has any. */
  over: StagedSql | undefined;
  /** The stages that it reads, in order. */
  stages: readonly Stage[];
}

/** Reports by registry and name. Their files do not change while a process runs. */
const rendered = new WeakMap<Registry, Map<string, RenderedReport>>();

/**
 * Reads a report once for all requests.
 * @throws LakeError report_unknown
 */
export function renderedReport(name: string, registry: Registry): RenderedReport {
  const known = rendered.get(registry) ?? new Map<string, RenderedReport>();
  rendered.set(registry, known);
  const found = known.get(name);
  if (found) return found;
  const report = findReport(name);
  const stages = createStages(registry, report);
  const over = stages.over(reportBody(report, registry));
  const made = { report, sql: renderReport(report, registry), over, stages: over ? stagesReadBy(over, stages) : [] };
  known.set(name, made);
  return made;
}
