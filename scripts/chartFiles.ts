import { readFileSync, writeFileSync } from 'node:fs';

/** Files of the chart, which may read only its own folder, by the files that they copy. */
const COPIES: Record<string, string> = {
  'deploy/helm/spor/files/nats-server.conf': 'deploy/cluster/nats-server.conf',
  'deploy/helm/spor/files/nats-server-tls.conf': 'deploy/cluster/nats-server-tls.conf',
  'deploy/helm/spor/files/alerts.yml': 'deploy/monitoring/alerts.yml',
};

/** Copies them; `--check` only compares. */
function main(check: boolean): void {
  for (const [copy, source] of Object.entries(COPIES)) {
    const [to, from] = [copy, source].map((path) => new URL(`../${path}`, import.meta.url)) as [URL, URL];
    const wanted = readFileSync(from, 'utf8');
    if (!check) writeFileSync(to, wanted);
    else if (readFileSync(to, 'utf8') !== wanted) {
      process.stderr.write(`${copy}: not current, run npm run generate\n`);
      process.exitCode = 1;
    }
  }
}

main(process.argv.includes('--check'));
