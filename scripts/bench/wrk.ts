import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Load {
  url: string;
  /** Instrumentation keys; several are used in random order. */
  keys: readonly string[];
  /** Events of a POST as JSON texts, with EVENT_ID for their ids. */
  events: readonly string[];
  eventsPerPost: number;
  connections: number;
  seconds: number;
  /** Target rate of requests; absent: as many as possible. */
  requestsPerSecond?: number;
  /** Whether to count answers by status, which slows the generator. */
  countAnswers?: boolean;
}

export interface LoadResult {
  requests: number;
  requestsPerSecond: number;
  eventsPerSecond: number;
  /** Latency of requests in milliseconds. */
  latencyMs: { p50: number; p99: number; p999: number };
  /** Number of answers other than 202. */
  refused: number;
  /** With countAnswers: 429 and 503, those without Retry-After, and all others but 202. */
  answers: { busy: number; withoutRetryAfter: number; other: number };
  socketErrors: number;
  seconds: number;
}

/** Place of an event's id in its text; the generator writes a UUIDv7 there. */
export const EVENT_ID = '@@event-id@@';

/**
 * Loads a receiver with wrk (https://github.com/wg/wrk), with new ids.
 * @throws Error with advice how to install wrk
 */
export async function wrk(load: Load): Promise<LoadResult> {
  const dir = await mkdtemp(join(tmpdir(), 'spor-wrk-'));
  const script = join(dir, 'load.lua');
  try {
    const file = join(dir, 'events.txt');
    await writeFile(file, load.events.flatMap((event) => event.split(EVENT_ID)).join('\n'));
    await writeFile(script, luaScript(load, file));
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
 * The generator's script.
 *
 * Ids are UUIDv7 of the moment, with a counter of POSTs and the place in the POST, modulo 256. So a POST has at most
 * 256 events, and ids are unique and as close together as real ones.
 *
 * With a rate, each request has its time slot, whatever the answers take, and a late request is sent at once. The rate
 * holds while connections are free.
 */
function luaScript({ keys, eventsPerPost, requestsPerSecond, countAnswers }: Load, eventsFile: string): string {
  return `
local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds; long nanos; } moment; int clock_gettime(int clock, moment *into);")
local into = ffi.new("moment")
local function now()
  ffi.C.clock_gettime(0, into)
  return tonumber(into.seconds) * 1000 + tonumber(into.nanos) / 1000000
end

local keys = { ${keys.map((key) => JSON.stringify(key)).join(', ')} }
local perPost = ${eventsPerPost}
local format, concat, random, floor = string.format, table.concat, math.random, math.floor
math.randomseed(os.time())
local run = random(0, 4095)

-- Of each POST everything but key and ids is made before the load begins: the generator must not be what is measured.
local posts, texts = {}, {}
for line in io.lines(${JSON.stringify(eventsFile)}) do texts[#texts + 1] = line end
for first = 1, #texts - 2 * perPost + 1, 2 * perPost do
  local parts, bytes = { "", "", "", '{"events":[' .. texts[first] }, 0
  for i = 0, perPost - 1 do
    local last = i == perPost - 1
    parts[#parts + 1] = ""
    parts[#parts + 1] = format("%02x", i % 256)
    parts[#parts + 1] = texts[first + 2 * i + 1] .. (last and "]}" or "," .. texts[first + 2 * i + 2])
  end
  for i = 4, #parts do bytes = bytes + #parts[i] end
  parts[1] = "POST /api/events HTTP/1.1\\r\\nHost: bench\\r\\nContent-Type: application/json\\r\\nContent-Length: "
    .. bytes + 34 * perPost .. "\\r\\nX-Instrumentation-Key: "
  parts[3] = "\\r\\n\\r\\n"
  posts[#posts + 1] = parts
end
local count, at = 0, 0

function request()
  local ms = floor(now())
  at = at % #posts + 1
  count = count + 1
  local id = format("%08x-%04x-7%03x-8%03x-%08x%02x", floor(ms / 65536), ms % 65536, run, random(0, 4095), count, random(0, 255))
  local parts = posts[at]
  parts[2] = #keys == 1 and keys[1] or keys[random(#keys)]
  for i = 5, #parts, 3 do parts[i] = id end
  return concat(parts)
end
${requestsPerSecond === undefined ? '' : PACED.replace('INTERVAL', (1000 / requestsPerSecond).toFixed(6))}
${countAnswers ? COUNTED : ''}
local function counted(name) return sender and sender:get(name) or 0 end
function done(summary, latency)
  local errors = summary.errors
  print(format('{"requests":%d,"refused":%d,"socketErrors":%d,"seconds":%.6f,"answers":{"busy":%d,"withoutRetryAfter":%d,"other":%d},"latencyMs":{"p50":%.3f,"p99":%.3f,"p999":%.3f}}',
    summary.requests, errors.status, errors.connect + errors.read + errors.write + errors.timeout, summary.duration / 1e6,
    counted("busy"), counted("silent"), counted("other"),
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency:percentile(99.9) / 1000))
end
`;
}

const PACED = `
local slot
function delay()
  local at = now()
  slot = math.max((slot or at) + INTERVAL, at - 1000)
  return math.max(0, floor(slot - at))
end`;

/** Each thread counts in globals of its own Lua state. */
const COUNTED = `
function setup(thread) sender = thread end
busy, silent, other = 0, 0, 0
function response(status, headers)
  if status == 429 or status == 503 then
    busy = busy + 1
    if not headers["Retry-After"] then silent = silent + 1 end
  elseif status ~= 202 then
    other = other + 1
  end
end`;
