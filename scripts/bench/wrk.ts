import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Load {
  url: string;
  /** Instrumentation keys; more than one are used in random order. */
  keys: readonly string[];
  /** One event of a POST as JSON text, with EVENT_ID where its id belongs. */
  events: readonly string[];
  eventsPerPost: number;
  connections: number;
  seconds: number;
  /** Requests per second to aim at; absent: as many as go. */
  requestsPerSecond?: number;
}

export interface LoadResult {
  requests: number;
  requestsPerSecond: number;
  eventsPerSecond: number;
  /** Of requests, in milliseconds. */
  latencyMs: { p50: number; p99: number; p999: number };
  /** Answers by status, other than 202. */
  refused: number;
  socketErrors: number;
  seconds: number;
}

/** Where an event's id goes in its text; the generator replaces it by a UUIDv7 of its own. */
export const EVENT_ID = '@@event-id@@';

/**
 * Loads a receiver with wrk (https://github.com/wg/wrk), a native generator, with a fresh id for every event.
 * @throws Error saying how to install wrk.
 */
export async function wrk(load: Load): Promise<LoadResult> {
  const dir = await mkdtemp(join(tmpdir(), 'spor-wrk-'));
  const script = join(dir, 'load.lua');
  try {
    await writeFile(script, luaScript(load));
    const { stdout } = await run(
      'wrk',
      ['-t1', `-c${load.connections}`, `-d${load.seconds}s`, '--timeout', '10s', '-s', script, load.url],
      { timeout: (load.seconds + 60) * 1000 },
    );
    const line = stdout.split('\n').find((text) => text.startsWith('{'));
    if (!line) throw new Error(`wrk printed no result: ${stdout.slice(-300)}`);
    return withRates(JSON.parse(line) as Summary, load);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new Error('wrk is needed as load generator: install it, for example with "apt-get install wrk"', {
        cause: error,
      });
    }
    throw error;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

type Summary = Omit<LoadResult, 'requestsPerSecond' | 'eventsPerSecond'>;

function withRates(summary: Summary, load: Load): LoadResult {
  const requestsPerSecond = (summary.requests - summary.refused) / summary.seconds;
  return { ...summary, requestsPerSecond, eventsPerSecond: requestsPerSecond * load.eventsPerPost };
}

/**
 * The generator's script. Ids are UUIDv7 with the time of the start and a counter, so that a run's ids are unique and lie
 * close together, as those of a real second do.
 */
function luaScript({ keys, events, eventsPerPost, connections, requestsPerSecond }: Load): string {
  const texts = events.map((event) => event.split(EVENT_ID).map((part) => JSON.stringify(part)));
  const delayMs = requestsPerSecond === undefined ? undefined : (connections * 1000) / requestsPerSecond;
  return `
local events = { ${texts.map(([before, after]) => `{ ${before}, ${after} }`).join(', ')} }
local keys = { ${keys.map((key) => JSON.stringify(key)).join(', ')} }
local perPost, path = ${eventsPerPost}, "/api/events"
local format, concat, random = string.format, table.concat, math.random
local ms = os.time() * 1000
local prefix = format("%08x-%04x-7%03x-8", math.floor(ms / 65536), ms % 65536, os.time() % 4096)
local count, at, parts = 0, 0, {}

function request()
  local n = 1
  parts[1] = '{"events":['
  for i = 1, perPost do
    at = at % #events + 1
    count = count + 1
    parts[n + 1] = i == 1 and events[at][1] or "," .. events[at][1]
    parts[n + 2] = format("%s%03x-%012x", prefix, math.floor(count / 16777216) % 4096, (count % 16777216) * 16777216 + random(0, 16777215))
    parts[n + 3] = events[at][2]
    n = n + 3
  end
  parts[n + 1] = "]}"
  parts[n + 2] = nil
  local body = concat(parts, "", 1, n + 1)
  return "POST " .. path .. " HTTP/1.1\\r\\nHost: bench\\r\\nContent-Type: application/json\\r\\nX-Instrumentation-Key: "
    .. (#keys == 1 and keys[1] or keys[random(#keys)]) .. "\\r\\nContent-Length: " .. #body .. "\\r\\n\\r\\n" .. body
end
${delayMs === undefined ? '' : `function delay() return ${delayMs.toFixed(3)} * (0.5 + random()) end`}
function done(summary, latency)
  local errors = summary.errors
  print(format('{"requests":%d,"refused":%d,"socketErrors":%d,"seconds":%.6f,"latencyMs":{"p50":%.3f,"p99":%.3f,"p999":%.3f}}',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout, summary.duration / 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency:percentile(99.9) / 1000))
end
`;
}
