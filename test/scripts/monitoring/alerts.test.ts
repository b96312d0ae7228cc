import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { ALERTS } from '../../../scripts/monitoring/alerts.ts';
import { declaredMetrics, type DeclaredMetric } from '../../../scripts/monitoring/metrics.ts';
import { DASHBOARDS } from '../../../scripts/monitoring/panels.ts';
import { findPrometheus } from '../../../scripts/monitoring/programs.ts';
import { heard } from '../../../scripts/monitoring/rules.ts';
import { FAULTS, healthy, type Fault } from './faults.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const RULES = join(ROOT, 'deploy/monitoring/alerts.yml');
const NAMES = ALERTS.map(({ name }) => name);
const QUERIES = [
  ...ALERTS.map(({ name, expr }) => [name, expr] as const),
  ...DASHBOARDS.flatMap(({ title, panels }) =>
    panels.flatMap(({ title: panel, queries }) => queries.map(([expr]) => [`${title}, ${panel}`, expr] as const)),
  ),
];
const METRICS = new Map((await declaredMetrics()).map((metric) => [metric.name, metric]));
/** Labels that Prometheus or the registry add. */
const ADDED = ['component', 'instance', 'job', 'le'];

/** Faults of a query: metrics that no service declares, and labels that a metric does not have. */
function faultsOf(expr: string): string[] {
  return [...expr.matchAll(/\b((?:spor|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)].flatMap(([, name, matchers = '']) => {
    const metric = METRICS.get(name!) ?? histogramOf(name!);
    if (!metric) return [`${name}: no service has it`];
    const labels = [...matchers.matchAll(/(\w+)(?:=|!=|=~|!~)"/g)].map(([, label]) => label!);
    return labels
      .filter((label) => ![...metric.labels, ...ADDED].includes(label))
      .map((label) => `${name}: no ${label}`);
  });
}

function histogramOf(name: string): DeclaredMetric | undefined {
  const metric = METRICS.get(name.replace(/_(bucket|sum|count)$/, ''));
  return metric?.type === 'histogram' ? metric : undefined;
}

describe('alerts and dashboards', () => {
  it('name only metrics and labels that a service declares', () => {
    expect(QUERIES.flatMap(([where, expr]) => faultsOf(expr).map((fault) => `${where}: ${fault}`))).toEqual([]);
    expect(faultsOf('rate(spor_ingest_publish_seconds_bucket[5m]) + spor_lost{x="1"}')).toEqual([
      'spor_lost: no service has it',
    ]);
    expect(faultsOf('spor_ingest_requests_total{cod=~"a"}')).toEqual(['spor_ingest_requests_total: no cod']);
  });

  it('have a section each in the runbook, and no other section', async () => {
    const page = await readFile(join(ROOT, 'docs/alerts.md'), 'utf8');
    expect([...page.matchAll(/^### (\w+)$/gm)].map(([, name]) => name)).toEqual(NAMES);
  });

  it('name as their causes only other alerts, without a circle', async () => {
    const follows = new Map(ALERTS.map(({ name, follows: causes = [] }) => [name, causes]));
    const reach = (name: string, way: readonly string[]): void => {
      expect(NAMES).toContain(name);
      expect(way, 'a circle of causes').not.toContain(name);
      for (const cause of follows.get(name) ?? []) reach(cause, [...way, name]);
    };
    for (const name of NAMES) reach(name, []);
    const config = parse(await readFile(join(ROOT, 'deploy/monitoring/inhibit.yml'), 'utf8')) as {
      inhibit_rules: object[];
    };
    expect(config.inhibit_rules).toHaveLength(ALERTS.filter(({ follows: causes }) => causes).length);
  });

  it('are each raised by a fault of the list', () => {
    expect(NAMES.filter((name) => !FAULTS.some((fault) => fault.heard.includes(name)))).toEqual([]);
  });
});

const found = await findPrometheus();
const why = 'unavailable' in found ? ` (skipped: ${found.unavailable})` : '';
describe.skipIf('unavailable' in found)(`promtool${why}`, () => {
  const run = (...args: string[]): Promise<{ stdout: string }> =>
    promisify(execFile)('unavailable' in found ? '' : found.promtool, args).catch(
      (error: Error & { stdout: string }) => {
        throw new Error(`${error.message}\n${error.stdout}`);
      },
    );
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'spor-test-alerts-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('accepts the rules, the configuration and every query of the dashboards', async () => {
    const panels = QUERIES.slice(ALERTS.length).map(([, expr], index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll('$__rate_interval', '5m'),
    }));
    await writeFile(join(dir, 'panels.yml'), stringify({ groups: [{ name: 'panels', rules: panels }] }));
    const { stdout } = await run('check', 'rules', RULES, join(dir, 'panels.yml'));
    expect(stdout).toContain(`SUCCESS: ${ALERTS.length} rules found`);
    await run('check', 'config', '--syntax-only', join(ROOT, 'deploy/monitoring/prometheus.yml'));
  });

  it('finds that each fault raises its alerts and no other', async () => {
    const file = join(dir, 'faults.yml');
    await writeFile(file, stringify({ rule_files: [RULES], evaluation_interval: '1m', tests: FAULTS.map(unitTest) }));
    await run('test', 'rules', file);
    for (const { what, firing, heard: wanted } of FAULTS)
      expect([what, heard(new Set(firing))]).toEqual([what, wanted]);
  });
});

/** A fault as a unit test of promtool. */
function unitTest({ what, series, firing, minutes = 40 }: Fault): object {
  const all = { ...healthy(), ...series };
  return {
    name: what,
    interval: '1m',
    input_series: Object.entries(all).flatMap(([name, values]) =>
      values === undefined ? [] : [{ series: name, values: values.replace('x10000', `x${minutes}`) }],
    ),
    promql_expr_test: [
      {
        expr: 'group by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: `${minutes}m`,
        exp_samples: firing.map((name) => ({ labels: `{alertname="${name}"}`, value: 1 })),
      },
    ],
  };
}
