import type { KeyRecord } from '../../schemas/keys.ts';
import type { Correction } from '../../schemas/normalise/correction.ts';
import type { LiveEvent } from '../../query/live/verdicts.ts';
import { ApiError } from '../api.ts';
import { fill, h } from '../dom.ts';
import { eventGist } from '../eventGist.ts';
import { count, plain, when } from '../format.ts';
import type { Page } from '../page.ts';
import { copyable, empty } from '../panel.ts';
import { reconnectAfterMs } from '../reconnect.ts';
import { readServerEvents } from '../serverEvents.ts';
import { choice } from '../toolbar.ts';

const MOST_KEPT = 300;
/** A connection that held this long was a good one, and the next is tried soon. */
const GOOD_MS = 30_000;
const SAY_EVERY_MS = 5_000;

type Key = KeyRecord & { id: string; state: string };

/** Outcome of each event from now on, for developers of an integration. */
export function liveView(page: Page): HTMLElement {
  const { state, signal, go, announce } = page;
  const status = h('p', { class: 'quiet' }, 'Connecting …');
  const feed = h('ol', { class: 'feed', 'aria-label': 'Events, newest first' });
  const waiting = h('div');
  const body = h('div', {}, waiting, feed);
  const keyChoice = h('div');
  const totals = { accepted: 0, rejected: 0, skipped: 0 };
  const labels = new Map<string, string>();
  let held: LiveEvent[] | undefined;
  let keys: Key[] = [];

  const tell = (text: string): void => fill(status, text);
  const sums = (): string =>
    `${count(totals.accepted)} accepted, ${count(totals.rejected)} rejected${totals.skipped > 0 ? `, ${count(totals.skipped)} more not shown` : ''}`;

  const add = (events: readonly LiveEvent[]): void => {
    if (held) {
      held.push(...events);
      held.splice(0, held.length - MOST_KEPT);
    } else {
      waiting.replaceChildren();
      feed.prepend(...events.toReversed().map((event) => line(event, labels)));
      while (feed.childElementCount > MOST_KEPT) feed.lastElementChild!.remove();
    }
  };
  const take = (name: string, data: unknown): boolean => {
    if (name === 'hello') {
      tell('Listening. Events appear as they are stored.');
      if (feed.childElementCount === 0) fill(waiting, howToSend(page, keys));
    }
    if (name === 'skipped') totals.skipped += (data as { events: number }).events;
    if (name === 'behind') tell('Too many events to show all. Some are skipped.');
    if (name === 'end') {
      const { message, code } = data as { message: string; code: string };
      tell(`Ended: ${message}`);
      return code === 'stream_unavailable';
    }
    if (name === 'events') {
      const { events } = data as { events: LiveEvent[] };
      for (const { outcome } of events) totals[outcome]++;
      add(events.filter(({ outcome }) => state.outcome === undefined || outcome === state.outcome));
      tell(`Listening. ${sums()}.`);
    }
    return true;
  };

  const pause = h(
    'button',
    {
      type: 'button',
      'aria-pressed': 'false',
      onclick: () => {
        const events = held;
        held = events ? undefined : [];
        pause.setAttribute('aria-pressed', String(!events));
        if (events) add(events);
      },
    },
    'Pause',
  );
  const clear = h('button', { type: 'button', onclick: () => feed.replaceChildren() }, 'Clear');

  void follow(page, take, tell);
  void loadKeys(page).then((found) => {
    if (signal.aborted) return;
    keys = found;
    for (const { id, label } of found) labels.set(id, label || id.slice(0, 8));
    const options = found
      .filter((key) => state.segment === undefined || key.segmentId === state.segment)
      .map(({ id, label, segmentId, state: is }): [string, string] => [
        id,
        `${label || id.slice(0, 8)} (${segmentId}${is === 'active' || is === 'expiring' ? '' : `, ${is}`})`,
      ]);
    const unknown = state.key !== undefined && options.every(([id]) => id !== state.key);
    const all: [string, string][] = [['', 'All keys'], ...options];
    if (unknown) all.push([state.key!, state.key!]);
    fill(
      keyChoice,
      choice('Key', all, state.key ?? '', (key) => go({ key: key || undefined })),
    );
  });
  let said = '';
  const saying = setInterval(() => {
    if (sums() !== said && totals.accepted + totals.rejected > 0) announce((said = sums()));
  }, SAY_EVERY_MS);
  signal.addEventListener('abort', () => clearInterval(saying));

  const outcomes: [string, string][] = [
    ['', 'Accepted and rejected'],
    ['accepted', 'Only accepted'],
    ['rejected', 'Only rejected'],
  ];
  const outcomeChoice = choice('Verdict', outcomes, state.outcome ?? '', (to) => go({ outcome: to || undefined }));
  return h(
    'section',
    { class: 'panel', 'aria-label': 'Live events' },
    h('div', { class: 'actions ends' }, keyChoice, outcomeChoice, pause, clear),
    status,
    body,
  );
}

/** Follows until the view is left; reconnects after a broken connection. */
async function follow(
  { api, state, signal }: Page,
  take: (name: string, data: unknown) => boolean,
  tell: (text: string) => void,
): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    const startedAt = performance.now();
    try {
      const response = await api.open('/api/live', { key: state.key, segment: state.segment }, signal);
      for await (const { name, data } of readServerEvents(response.body!)) {
        if (!take(name, data)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      const message = error instanceof Error ? error.message : String(error);
      tell(`Not listening: ${message}`);
      if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429) return;
    }
    if (performance.now() - startedAt > GOOD_MS) attempt = 0;
    await new Promise((resolve) => setTimeout(resolve, reconnectAfterMs(attempt, Math.random())));
  }
}

async function loadKeys({ api, signal }: Page): Promise<Key[]> {
  try {
    return (await api.get<{ keys: Key[] }>('/api/keys', {}, signal)).keys;
  } catch {
    return []; // keys have no labels then; the feed says what is wrong
  }
}

function line(event: LiveEvent, labels: ReadonlyMap<string, string>): HTMLElement {
  const { outcome, receivedAt, type, keyId, code, message, eventId, row } = event;
  const refused = outcome === 'rejected';
  const corrected = corrections(row).length > 0 ? ' · corrected' : '';
  const text = refused
    ? `${code ?? ''}: ${message ?? ''}`
    : [labels.get(keyId) ?? keyId.slice(0, 8), eventGist(row ?? {}), eventId].filter(Boolean).join(' · ') + corrected;
  const details = h(
    'details',
    {
      ontoggle: () => {
        if (details.open && details.childElementCount === 1) details.append(detail(event, labels));
      },
    },
    h(
      'summary',
      {},
      h('span', {}, when(receivedAt, 'time')),
      h('span', {}, h('span', { class: refused ? 'badge bad' : 'badge' }, refused ? 'Rejected' : 'Accepted')),
      h('span', {}, type ?? 'no type'),
      h('span', { class: refused ? '' : 'quiet' }, text),
    ),
  );
  return h('li', {}, details);
}

function detail(event: LiveEvent, labels: ReadonlyMap<string, string>): HTMLElement {
  const { code, path, message, row, raw, receiptId, index, keyId, segmentId, receivedAt, eventId } = event;
  const facts: [string, unknown][] = [
    ['Received', when(receivedAt)],
    ['Key', `${labels.get(keyId) ?? ''} ${keyId}`.trim()],
    ['Segment', segmentId],
    ['Event id', eventId],
    ['Receipt', index === null ? receiptId : `${receiptId}, event ${index}`],
  ];
  const name = eventId ?? (index === null ? receiptId : `${receiptId}, ${index}`);
  if (corrections(row).length > 0) facts.push(['Corrected', corrections(row).join(', ')]);
  if (code !== undefined) facts.unshift(['Reason', code], ['Where', path], ['What', message]);
  return h(
    'div',
    { class: 'detail' },
    h('dl', { class: 'facts' }, ...facts.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, plain(value))])),
    row ? copyable(JSON.stringify(withoutNulls(row), null, 2), 'row', name) : null,
    row ? h('p', { class: 'note' }, 'The row it becomes, empty columns left out. A resend of it becomes none.') : null,
    raw === undefined ? null : copyable(pretty(raw), 'event', name),
    raw === undefined ? null : h('p', { class: 'note' }, 'The event as it came. It is kept in the quarantine.'),
  );
}

/** What the receiver changed before it accepted the event, as `kind path`. */
function corrections(row: LiveEvent['row']): string[] {
  return ((row?.corrections ?? []) as Correction[]).map(({ kind, path }) => `${kind} ${path}`);
}

function withoutNulls(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}

function pretty(raw: string): string {
  try {
    return JSON.stringify(JSON.parse(raw), null, 2);
  } catch {
    return raw;
  }
}

function howToSend({ tenantId, session }: Page, keys: readonly Key[]): HTMLElement {
  const event = {
    eventId: crypto.randomUUID(),
    type: 'Search',
    timestamp: new Date().toISOString(),
    sessionId: 'try-me',
    phrase: 'running shoes',
    resultsCount: 3,
  };
  const active = keys.some(({ state }) => state === 'active' || state === 'expiring');
  return empty(
    'No event has arrived since you opened this view.',
    h('p', {}, `Send an event with a key of ${tenantId}. It appears here with its verdict:`),
    copyable(
      `curl -sS "$RECEIVER/api/events" -H 'Content-Type: application/json' -H "X-Instrumentation-Key: $KEY" -d '${JSON.stringify({ events: [event] })}'`,
      'command',
    ),
    active
      ? null
      : h(
          'p',
          {},
          session.role === 'operator'
            ? 'No key is active. Create one under “Keys and tokens”.'
            : 'If you have no key, ask the operator of this Spor for one.',
        ),
  );
}
