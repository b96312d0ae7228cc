import { readFile, writeFile } from 'node:fs/promises';
import { format, resolveConfig } from 'prettier';
import { dashboardJson } from './dashboard.ts';
import { declaredMetrics } from './metrics.ts';
import { metricsPage } from './page.ts';
import { DASHBOARDS } from './panels.ts';
import { alertRules, inhibitRules } from './rules.ts';

/** Generated files with their texts. */
async function outputs(): Promise<Record<string, string>> {
  const dashboards = DASHBOARDS.map((plan) => [`deploy/monitoring/dashboards/${plan.uid}.json`, dashboardJson(plan)]);
  return {
    'docs/metrics.md': metricsPage(await declaredMetrics()),
    'deploy/monitoring/alerts.yml': alertRules(),
    'deploy/monitoring/inhibit.yml': inhibitRules(),
    ...(Object.fromEntries(dashboards) as Record<string, string>),
  };
}

/** Writes alert rules, dashboards and the page of metrics; `--check` only compares. */
async function main(check: boolean): Promise<void> {
  for (const [name, text] of Object.entries(await outputs())) {
    const file = new URL(`../../${name}`, import.meta.url);
    const wanted = await format(text, { ...(await resolveConfig(file.pathname)), filepath: file.pathname });
    if (!check) await writeFile(file, wanted);
    else if ((await readFile(file, 'utf8').catch(() => '')) !== wanted) {
      process.stderr.write(`${name}: not current, run npm run generate\n`);
      process.exitCode = 1;
    }
  }
}

await main(process.argv.includes('--check'));
