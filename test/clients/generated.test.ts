import { execFile, spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStream } from '../../cli/stream.ts';
import { newSecret, secretHash, type TokenRecord } from '../../schemas/keys.ts';
import { EXAMPLE_TIME, eventExamples } from '../../schemas/openapi/examples.ts';
import { createRegistry } from '../../schemas/registry.ts';
import { TOKENS_BUCKET } from '../../stream/buckets.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import { openSecretStore } from '../../stream/secretStore.ts';
import { shardRange } from '../../stream/shardCount.ts';
import { jetstreamManager } from '@nats-io/jetstream';
import { look } from '../ingest/receiver.ts';
import { runStack, type RunningStack } from '../support/runningStack.ts';
import { until } from '../support/until.ts';

const SOURCES = fileURLToPath(new URL('.', import.meta.url));
const EXAMPLES = Object.values(eventExamples(createRegistry()));
const TOTAL = 1_234_567.89;
const DOTNET = spawnSync('dotnet', ['--version']).status === 0;

let running: RunningStack;
let connection: NatsConnection;
let dir: string;
let options: string[];

beforeAll(async () => {
  running = await runStack();
  const { stack } = running;
  connection = await openStream(stack.nats, 'NATS_URL');
  dir = await mkdtemp(join(tmpdir(), 'spor-test-clients-'));
  for (const name of ['csharp', 'typescript']) await cp(join(SOURCES, name), join(dir, name), { recursive: true });
  for (const [name, url] of [
    ['receiver', stack.ingestUrl],
    ['query', stack.queryUrl],
  ] as const)
    await writeFile(join(dir, `${name}.json`), await (await fetch(`${url}/openapi.json`)).text());
  await writeFile(join(dir, 'examples.json'), JSON.stringify(EXAMPLES));
  const key = await running.createKey('generated', 'web');
  options = [stack.ingestUrl, key, stack.queryUrl, await readToken(), join(dir, 'examples.json')];
});

afterAll(async () => {
  await connection?.close();
  await running?.close();
  await rm(dir, { recursive: true, force: true });
});

describe.skipIf(!DOTNET)('a client in C#', () => {
  beforeAll(async () => {
    const here = join(dir, 'csharp');
    await run(here, 'dotnet', 'tool', 'restore');
    await mkdir(join(here, 'generated'));
    for (const [name, title] of [
      ['receiver', 'Receiver'],
      ['query', 'QueryServer'],
    ] as const) {
      const nswag = `/input:../${name}.json /output:generated/${title}.cs /classname:${title} /namespace:Clients.NSwag.${title}`;
      await run(here, 'dotnet', 'nswag', 'openapi2csclient', ...nswag.split(' '), ...NSWAG_OPTIONS);
      const kiota = `-l CSharp -d ../${name}.json -o generated/kiota${title} -c ${title} -n Clients.Kiota.${title}`;
      await run(here, 'dotnet', 'kiota', 'generate', ...kiota.split(' '));
    }
    await run(here, 'dotnet', 'build', '-c', 'Release', '-o', 'out', '-v', 'q', '-p:UseSharedCompilation=false');
  });

  it.each(['nswag', 'kiota'])('of %s sends every event, and reads verdicts and money', async (generator) => {
    await expectAllSent(await run(join(dir, 'csharp'), 'dotnet', 'out/Clients.dll', generator, ...options));
  });
});

describe('a client in TypeScript', () => {
  it('of openapi-typescript sends every event, and reads verdicts and money', async () => {
    const here = join(dir, 'typescript');
    await run(here, 'npm', 'ci', '--no-audit', '--no-fund');
    for (const name of ['receiver', 'query'])
      await run(here, 'npx', 'openapi-typescript', `../${name}.json`, '-o', `generated/${name}.d.ts`);
    await run(here, 'npx', 'tsc', '-p', '.');
    await expectAllSent(await run(here, process.execPath, 'out/send.js', ...options));
  });
});

const NSWAG_OPTIONS = [
  '/jsonLibrary:SystemTextJson',
  '/generateOptionalPropertiesAsNullable:true',
  '/generateNullableReferenceTypes:true',
];

interface Told {
  told: string;
  eventId?: string;
  receipt?: string;
  [more: string]: unknown;
}

/** NSwag sends an absent text as null. */
const NO_PHRASE = expect.stringMatching(/^field_?(missing|type)$/i) as string;

/** Compares what a client told with the documents' promises, and with the stream. */
async function expectAllSent(output: string): Promise<void> {
  const lines = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Told);
  const sent = lines.filter(({ told }) => told === 'example');
  expect(sent.map(({ type }) => type)).toEqual(EXAMPLES.map(({ type }) => type));
  for (const [index, { receipt, eventId }] of sent.entries()) {
    const { eventId: _fixed, timestamp: _time, ...example } = EXAMPLES[index]!;
    const { timestamp, ...stored } = await storedEvent(receipt!, eventId!);
    expect(stored).toMatchObject(example);
    expect(Date.parse(timestamp as string)).toBe(Date.parse(EXAMPLE_TIME));
  }
  const [order] = lines.filter(({ told }) => told === 'order');
  expect(order).toMatchObject({ accepted: 1, path: '/phrase', verdict: NO_PHRASE });
  expect(await storedEvent(order!.receipt!, order!.eventId!)).toMatchObject({
    total: TOTAL,
    lines: [{ unitPrice: TOTAL }],
  });
  const rest = lines.filter(({ told }) => told !== 'example' && told !== 'order');
  expect(rest).toEqual([
    { told: 'dry run', receipt: null, accepted: 1, total: TOTAL },
    { told: 'refused', status: 400, code: asName('no_valid_event'), verdict: NO_PHRASE },
    { told: 'session', role: asName('reader'), tenant: 'generated' },
    { told: 'query refused', status: 400, code: asName('receipt_malformed') },
  ]);
}

/** A code as it is, or as a generator spells it as the member of an enum. */
function asName(code: string): string {
  return expect.stringMatching(new RegExp(`^${code.replaceAll('_', '_?')}$`, 'i')) as string;
}

async function storedEvent(receiptId: string, eventId: string): Promise<Record<string, unknown>> {
  const { shards } = await shardRange(await jetstreamManager(connection));
  const { resolve } = await look(connection, shards);
  const { events } = await resolve(receiptId);
  return events.find((event) => event.eventId === eventId)!;
}

async function readToken(): Promise<string> {
  const token = newSecret('rt');
  const tokens = await openSecretStore<TokenRecord>(connection, TOKENS_BUCKET, 1);
  const createdAt = new Date().toISOString();
  await tokens.create(secretHash(token), { tenantId: 'generated', segmentIds: [], label: 'test', createdAt });
  const headers = { authorization: `Bearer ${token}` };
  await until(async () => (await fetch(`${running.stack.queryUrl}/api/session`, { headers })).ok);
  return token;
}

/** Output of a program in a folder. @throws Error with its output if it fails */
function run(cwd: string, program: string, ...words: string[]): Promise<string> {
  const env = { ...process.env, DOTNET_CLI_TELEMETRY_OPTOUT: '1', DOTNET_NOLOGO: '1', MSBUILDDISABLENODEREUSE: '1' };
  return new Promise((resolve, reject) => {
    execFile(program, words, { cwd, env, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${program} ${words.join(' ')}: ${stdout.slice(-3000)}${stderr.slice(-3000)}`));
      else resolve(stdout);
    });
  });
}
