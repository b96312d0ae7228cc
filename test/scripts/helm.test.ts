import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import { nkeys } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { readIngestConfig } from '../../ingest/config.ts';
import { PROCESSOR_SETTINGS } from '../../processor/config.ts';
import { readQueryServerConfig } from '../../query/config.ts';
import { readConfig } from '../../runtime/config.ts';
import { findHelm } from '../../scripts/helm.ts';
import { findNatsServer } from '../../scripts/natsServer.ts';
import { IdentityFolder } from '../../stream/identities/folder.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
const CHART = join(DEPLOY, 'helm/spor');
const TLS = fileURLToPath(new URL('../stream/tls/', import.meta.url));
const read = (file: string): string => readFileSync(join(DEPLOY, file), 'utf8');
const STORE = ['--set', 'store.url=s3://bucket/lake'];

interface Values {
  secrets: Record<string, string>;
}

describe('the chart', () => {
  it('has the files of deploy', () => {
    for (const name of ['nats-server.conf', 'nats-server-tls.conf'])
      expect(read(`helm/spor/files/${name}`), name).toBe(read(`cluster/${name}`));
    expect(read('helm/spor/files/alerts.yml')).toBe(read('monitoring/alerts.yml'));
  });

  it('has values that its schema accepts, and refuses what it does not know', () => {
    const schema = JSON.parse(read('helm/spor/values.schema.json')) as object;
    const accepts = new Ajv({ strict: false, validateFormats: false }).compile(schema);
    const values = parse(read('helm/spor/values.yaml')) as Values;
    expect(accepts(values), JSON.stringify(accepts.errors)).toBe(true);
    expect(accepts({ ...values, replicas: 3 })).toBe(false);
    expect(accepts({ ...values, settings: { NATS_URL: 'nats://elsewhere:4222' } })).toBe(false);
    expect(accepts({ ...values, secrets: { ...values.secrets, users: '' } })).toBe(false);
  });
});

interface Pod {
  containers: {
    image: string;
    command: string[];
    env: { name: string; value?: string }[];
    ports: { name: string; containerPort: number }[];
    volumeMounts: { name: string; mountPath: string }[];
    readinessProbe: { httpGet: { path: string; port: string } };
    livenessProbe: { httpGet: { path: string; port: string } };
    securityContext: object;
    resources: { limits: { memory: string } };
  }[];
  volumes: { name: string; secret?: { secretName: string } }[];
  securityContext: object;
  affinity: { podAntiAffinity: object };
}

interface Resource {
  kind: string;
  metadata: { name: string };
  data?: Record<string, string>;
  spec: {
    replicas?: number;
    selector?: Record<string, string> & { matchLabels?: Record<string, string> };
    podSelector?: { matchLabels: Record<string, string> };
    scaleTargetRef?: { name: string };
    template: { metadata: { labels: Record<string, string> }; spec: Pod };
  };
}

const helm = await findHelm();
const why = typeof helm === 'string' ? '' : ` (skipped: ${helm.unavailable})`;

describe.skipIf(why !== '')(`helm${why}`, () => {
  let dir: string;
  let resources: Resource[];
  const run = (...args: string[]): Promise<{ stdout: string }> => promisify(execFile)(helm as string, args);
  const template = async (...args: string[]): Promise<Resource[]> => {
    const { stdout } = await run('template', 'shop', CHART, ...args);
    return parseAllDocuments(stdout).flatMap((document) => (document.toJS() as Resource | null) ?? []);
  };
  const of = (kind: string, among = resources): Resource[] => among.filter((one) => one.kind === kind);
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'spor-test-helm-'));
    resources = await template(...STORE);
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('finds nothing to complain of, and has every part twice or three times', async () => {
    await run('lint', '--strict', CHART, ...STORE);
    const replicas = [...of('Deployment'), ...of('StatefulSet')].map(({ metadata, spec }) => [
      metadata.name,
      spec.replicas,
    ]);
    expect(Object.fromEntries(replicas)).toEqual({
      'shop-ingest': 2,
      'shop-processor': 2,
      'shop-query': 2,
      'shop-nats': 3,
    });
    expect(of('Secret')).toEqual([]);
  });

  it('gives each service settings that it can read, and the port it listens on', async () => {
    const seed = join(dir, 'nkey');
    await writeFile(seed, nkeys.createUser().getSeed());
    const secret = join(dir, 'secret');
    await writeFile(secret, 'a secret');
    const readers: Record<string, (env: Record<string, string>) => { host: string; port: number }> = {
      'shop-ingest': readIngestConfig,
      'shop-processor': (env) => readConfig(PROCESSOR_SETTINGS, env),
      'shop-query': readQueryServerConfig,
    };
    for (const { metadata, spec } of of('Deployment')) {
      const { containers, volumes } = spec.template.spec;
      const [container] = containers as [Pod['containers'][0]];
      const onThisHost = (path: string): string => (path.endsWith('/nkey') ? seed : secret);
      const env = Object.fromEntries(
        container.env.map(({ name, value = '' }) => [name, name.endsWith('_FILE') ? onThisHost(value) : value]),
      );
      const { host, port } = readers[metadata.name]!(env);
      expect([host, port]).toEqual(['0.0.0.0', container.ports[0]!.containerPort]);
      // Every file is in a volume that is there.
      for (const { name, value = '' } of container.env.filter((one) => one.name.endsWith('_FILE'))) {
        const mount = container.volumeMounts.find(({ mountPath }) => value.startsWith(`${mountPath}/`));
        expect(volumes.find((volume) => volume.name === mount?.name)?.secret?.secretName, name).toMatch(/^spor-/);
      }
      expect(container.volumeMounts.map(({ name }) => name).toSorted()).toEqual(
        volumes.map(({ name }) => name).toSorted(),
      );
      expect(container.livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'http' });
      expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'http' });
    }
  });

  it('lets no pod run as root or write into its image, and bounds the memory of each', () => {
    for (const { metadata, spec } of [...of('Deployment'), ...of('StatefulSet')]) {
      const { securityContext, containers, affinity } = spec.template.spec;
      expect(securityContext, metadata.name).toMatchObject({ runAsNonRoot: true });
      for (const container of containers) {
        const locked = {
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
        };
        expect(container.securityContext, metadata.name).toEqual(locked);
        expect(container.resources.limits.memory).toMatch(/Gi|Mi/);
      }
      expect(affinity.podAntiAffinity).toBeDefined();
    }
  });

  it('chooses pods that are there with every selector', async () => {
    const all = await template(...STORE, '--set', 'ingress.enabled=true,processor.autoscaling.enabled=true');
    const pods = [...of('Deployment', all), ...of('StatefulSet', all)].map(({ spec }) => spec.template.metadata.labels);
    const chosen = (labels: Record<string, string>): number =>
      pods.filter((pod) => Object.entries(labels).every(([name, value]) => pod[name] === value)).length;
    const selectors = all.flatMap(({ kind, metadata, spec }) => {
      const labels =
        kind === 'Service' ? spec.selector : (spec?.selector?.matchLabels ?? spec?.podSelector?.matchLabels);
      return labels ? [[kind, metadata.name, chosen(labels)] as const] : [];
    });
    expect(selectors.length).toBeGreaterThan(12);
    expect(selectors.filter(([, , count]) => count !== 1)).toEqual([]);
    for (const kind of ['PodDisruptionBudget', 'NetworkPolicy']) expect(of(kind, all), kind).toHaveLength(4);
    const names = of('Deployment', all).map(({ metadata }) => metadata.name);
    for (const { spec } of of('HorizontalPodAutoscaler', all)) expect(names).toContain(spec.scaleTargetRef!.name);
  });

  it('gives the stream servers a configuration that they accept, with TLS or without', async () => {
    await new IdentityFolder(join(dir, 'access')).init(4, Date.now());
    const tls = ['--set', 'nats.tlsSecret=stream-tls', '--set', 'secrets.streamAuthority=stream-ca'];
    for (const more of [[], tls]) {
      const all = await template(...STORE, ...more);
      for (const [name, text] of Object.entries(of('ConfigMap', all)[0]!.data!)) await writeFile(join(dir, name), text);
      const [container] = of('StatefulSet', all)[0]!.spec.template.spec.containers as [Pod['containers'][0]];
      const env = Object.fromEntries(container.env.map(({ name, value = 'a-password' }) => [name, value]));
      for (const [name, value] of Object.entries(env))
        env[name] = value
          .replace('$(NATS_ROUTE_PASSWORD)', 'a-password')
          .replace(/^\/run\/nats\/tls\/(?:ca|tls)\.(crt|key)$/, (path, kind) =>
            join(TLS, path.includes('/ca.') ? 'ca.pem' : kind === 'key' ? 'server.key' : 'server.pem'),
          );
      await mkdir(join(dir, 'data'), { recursive: true });
      const file = container.command[2]!.replace('/etc/nats', dir);
      await expect(
        promisify(execFile)(await findNatsServer(), ['-t', '--config', file], {
          env: { ...env, NATS_STORE_DIR: join(dir, 'data') },
        }),
      ).resolves.toMatchObject({ stderr: expect.stringContaining('is valid') as string });
      const urls = of('Deployment', all).map(
        ({ spec }) => spec.template.spec.containers[0]!.env.find(({ name }) => name === 'NATS_URL')!.value!,
      );
      for (const url of urls) expect(url.startsWith(more.length > 0 ? 'tls://' : 'nats://')).toBe(true);
    }
  });

  it.each([
    ['store.url', []],
    ['more processors than shards', [...STORE, '--set', 'processor.autoscaling.max=9']],
    ['secrets.streamAuthority', [...STORE, '--set', 'nats.tlsSecret=stream-tls']],
    ['nats.url', [...STORE, '--set', 'nats.enabled=false']],
    ['replica', [...STORE, '--set', 'ingest.replica=3']],
  ])('refuses values that cannot work, and names %s', async (name, args) => {
    await expect(run('template', 'shop', CHART, ...args)).rejects.toThrow(name);
  });
});
