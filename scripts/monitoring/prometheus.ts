import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { freePort } from '../freePort.ts';
import { JOB } from './alerts.ts';
import { heard } from './rules.ts';

/** A Prometheus that scrapes running services each second, with the rules of deploy/monitoring. */
export interface RunningPrometheus {
  url: string;
  /** Values of an instant query, by their labels as JSON. */
  query: (expr: string) => Promise<{ labels: Record<string, string>; value: number }[]>;
  /** Names of the alerts whose condition holds now, whether or not it has held for long enough. */
  raised: () => Promise<Set<string>>;
  /** Those of them that somebody would hear of. */
  heard: () => Promise<string[]>;
  stop: () => Promise<void>;
}

/**
 * Starts Prometheus on a free port of this host, in a folder of its own.
 * @param program path of the server, of findPrometheus
 * @param targets services as `host:port`, by component
 */
export async function startPrometheus(
  program: string,
  targets: Readonly<Record<string, readonly string[]>>,
): Promise<RunningPrometheus> {
  const dir = await mkdtemp(join(tmpdir(), 'spor-prometheus-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const static_configs = Object.entries(targets).map(([component, services]) => ({
    targets: services,
    labels: { component },
  }));
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: [fileURLToPath(new URL('../../deploy/monitoring/alerts.yml', import.meta.url))],
    scrape_configs: [{ job_name: JOB, honor_labels: true, static_configs }],
  };
  await writeFile(join(dir, 'prometheus.yml'), stringify(config));
  const child = spawn(
    program,
    [
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${url}/api/v1/${path}`);
    const body = (await response.json()) as { status: string; error?: string; data: T };
    if (body.status !== 'success') throw new Error(`Prometheus answered: ${body.error}`);
    return body.data;
  };
  const raised = async (): Promise<Set<string>> => {
    const { alerts } = await ask<{ alerts: { labels: { alertname: string } }[] }>('alerts');
    return new Set(alerts.map(({ labels }) => labels.alertname));
  };
  return {
    url,
    query: async (expr) => {
      const { result } = await ask<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(
        `query?query=${encodeURIComponent(expr)}`,
      );
      return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    raised,
    heard: async () => heard(await raised()),
    stop: async () => {
      const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
      child.kill('SIGTERM');
      await exited;
      await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
