import type { KeyRecord, OperatorTokenRecord, ReadTokenRecord } from '../../schemas/keys.ts';
import { dataTable, type DataColumn } from '../dataTable.ts';
import { fill, h } from '../dom.ts';
import { plain, when } from '../format.ts';
import type { Page } from '../page.ts';
import { empty, panel } from '../panel.ts';
import { confirmRevoke } from './revoke.ts';
import { keyForm, tokenForm } from './secretForms.ts';

export type SecretRow<T> = T & { id: string; state: string };

/** Keys of the tenant, and for operators its tokens, with forms. */
export function accessView(page: Page): HTMLElement {
  const { session, tenantId, signal } = page;
  const operator = session.role === 'operator';
  const keys = h('div');
  const tokens = h('div');
  const showKeys = (): void =>
    fill(
      keys,
      panel({
        title: `Instrumentation keys of ${tenantId}`,
        note: 'A key identifies the sender. Only its hash is stored, so it is shown once, when it is created.',
        load: () => keyTable(page, operator ? showKeys : undefined),
        signal,
      }),
    );
  const showTokens = (): void =>
    fill(
      tokens,
      panel({
        title: 'Tokens',
        note: `Read tokens of ${tenantId}, and operator tokens. Only the command line creates operator tokens.`,
        load: () => tokenTable(page, showTokens),
        signal,
      }),
    );
  showKeys();
  if (!operator)
    return h(
      'div',
      { class: 'panel-body' },
      keys,
      h('p', { class: 'note' }, 'Operators create and revoke keys and tokens.'),
    );
  showTokens();
  return h(
    'div',
    { class: 'panel-body' },
    keys,
    tokens,
    h('div', { class: 'columns' }, keyForm(page, showKeys), tokenForm(page, showTokens)),
  );
}

async function keyTable(page: Page, changed: (() => void) | undefined): Promise<HTMLElement> {
  const { keys } = await page.api.get<{ keys: SecretRow<KeyRecord>[] }>('/api/keys', {}, page.signal);
  if (keys.length === 0)
    return empty('There is no key yet.', h('p', {}, 'Sending events needs a key. Operators create one below.'));
  const columns: DataColumn<SecretRow<KeyRecord>>[] = [
    { title: 'Label', value: ({ label }) => label },
    { title: 'State', value: ({ state }) => state, show: (state) => badge(String(state)) },
    { title: 'Segment', value: ({ segmentId }) => segmentId },
    { title: 'Kind', value: ({ kind }) => kind },
    { title: 'Origins', value: ({ origins }) => (origins.length === 0 ? 'any' : origins.join(', ')) },
    { title: 'Events a second, at most', value: ({ quotaEventsPerSecond: quota }) => quota, numeric: true },
    { title: 'Expires', value: ({ expiresAt }) => expiresAt, show: (at) => when(at), whole: true },
    { title: 'Created', value: ({ createdAt }) => createdAt, show: (at) => when(at), whole: true },
    { title: 'Id', value: ({ id }) => id, show: (id) => h('code', {}, plain(id)) },
    {
      title: 'Events',
      value: ({ id }) => id,
      show: (_, { id, label }) =>
        h(
          'button',
          {
            type: 'button',
            class: 'link',
            'aria-label': `Watch ${label || id} live`,
            onclick: () => page.go({ view: 'live', key: id }),
          },
          'Watch',
        ),
    },
  ];
  if (changed) columns.push(revokeColumn(page, 'key', changed));
  return dataTable({ caption: 'Instrumentation keys', rows: keys.toReversed(), columns });
}

async function tokenTable(page: Page, changed: () => void): Promise<HTMLElement> {
  const query = { tenant: page.tenantId };
  const { tokens } = await page.api.get<{ tokens: SecretRow<ReadTokenRecord | OperatorTokenRecord>[] }>(
    '/api/tokens',
    query,
    page.signal,
  );
  return dataTable({
    caption: 'Tokens',
    rows: tokens.toReversed(),
    columns: [
      { title: 'Label', value: ({ label }) => label },
      { title: 'State', value: ({ state }) => state, show: (state) => badge(String(state)) },
      { title: 'Reads', value: scope },
      { title: 'Expires', value: ({ expiresAt }) => expiresAt, show: (at) => when(at), whole: true },
      { title: 'Created', value: ({ createdAt }) => createdAt, show: (at) => when(at), whole: true },
      { title: 'Id', value: ({ id }) => id, show: (id) => h('code', {}, plain(id)) },
      revokeColumn(page, 'token', changed),
    ],
  });
}

function scope(token: ReadTokenRecord | OperatorTokenRecord): string {
  if (token.role === 'operator') return 'every tenant (operator)';
  return token.segmentIds.length === 0 ? token.tenantId : `${token.tenantId}: ${token.segmentIds.join(', ')}`;
}

function revokeColumn<T extends { id: string; state: string; label: string }>(
  page: Page,
  what: 'key' | 'token',
  changed: () => void,
): DataColumn<T> {
  return {
    title: 'Withdraw',
    value: ({ state }) => state,
    show: (state, { id, label }) => {
      if (state === 'revoked') return '';
      const name = label === '' ? id : label;
      const own = id === page.session.tokenId;
      const onclick = (): void => void confirmRevoke(page, { what, id, name, own }).then((done) => done && changed());
      return h('button', { type: 'button', class: 'link danger', 'aria-label': `Revoke ${name}`, onclick }, 'Revoke');
    },
  };
}

function badge(state: string): HTMLElement {
  const kind = state === 'revoked' ? 'badge bad' : state === 'expired' ? 'badge off' : 'badge';
  return h('span', { class: kind }, state);
}
