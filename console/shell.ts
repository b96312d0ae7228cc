import type { ShopZones } from '../schemas/zone.ts';
import type { SessionAnswer } from '../query/http/contract/sessionAnswer.ts';
import type { Api } from './api.ts';
import { fill, h } from './dom.ts';
import { showTimesIn } from './format.ts';
import type { ConsoleView } from './page.ts';
import { empty, failure } from './panel.ts';
import { quotaNotice } from './quotaNotice.ts';
import { themeChoice } from './theme.ts';
import { toolbar } from './toolbar.ts';
import { accessView } from './views/access.ts';
import { experimentsView } from './views/experiments.ts';
import { liveView } from './views/live.ts';
import { overviewView } from './views/overview.ts';
import { productsView } from './views/products.ts';
import { quarantineView } from './views/quarantine.ts';
import { revenueView } from './views/revenue.ts';
import { searchView } from './views/search.ts';
import { addressOf, readState, VIEW_NAMES, type ViewName, type ViewState } from './viewState.ts';

const VIEWS: Record<ViewName, { title: string; view: ConsoleView }> = {
  overview: { title: 'Overview', view: overviewView },
  live: { title: 'Live events', view: liveView },
  search: { title: 'Search', view: searchView },
  products: { title: 'Products', view: productsView },
  revenue: { title: 'Revenue', view: revenueView },
  experiments: { title: 'Experiments', view: experimentsView },
  quarantine: { title: 'Quarantine', view: quarantineView },
  access: { title: 'Keys and tokens', view: accessView },
};

interface ShellOptions {
  api: Api;
  session: SessionAnswer;
  /** Called when an operator chooses the tenant of requests. */
  onTenant: (tenantId: string | undefined) => void;
  signOut: () => void;
}

/** The frame of every view: navigation, choices, and the address that holds them. */
export function createShell(root: Element, { api, session, onTenant, signOut }: ShellOptions): { close: () => void } {
  const announcer = h('p', { class: 'hidden', role: 'status' });
  const nav = h('ul');
  const top = h('section', { class: 'top', 'aria-label': 'Choices' });
  const main = h('main', { id: 'main', tabindex: -1 });
  let shown = new AbortController();
  /** Time zones of tenants that were shown. */
  const zones = new Map<string, ShopZones>();

  const go = (change: Partial<ViewState>): void => {
    history.pushState(null, '', addressOf({ ...stateHere(), ...change }));
    show('phrase' in change);
  };
  const follow = (event: Event, view: ViewName): void => {
    const { metaKey, ctrlKey, shiftKey } = event as MouseEvent;
    if (metaKey || ctrlKey || shiftKey) return; // a new tab or window
    event.preventDefault();
    history.pushState(null, '', addressOf(stateFor(view)));
    show(true);
  };
  /** The state of the address. A tenant's token overrides the tenant of a shared link. */
  const stateHere = (): ViewState => {
    const state = readState(location.search);
    return session.role === 'reader' ? { ...state, tenant: undefined } : state;
  };
  /** The state for another view, with the same tenant, segment and dates. */
  const stateFor = (view: ViewName): ViewState => {
    const { tenant, segment, days, from, to } = stateHere();
    return { view, tenant, segment, days, from, to };
  };

  const show = (moved: boolean): void => {
    shown.abort();
    shown = new AbortController();
    const state = stateHere();
    const tenant = session.tenants.find(({ tenantId }) => tenantId === state.tenant) ?? session.tenants[0];
    onTenant(session.role === 'reader' ? undefined : tenant?.tenantId);
    const current = VIEWS[state.view];
    document.title = `${current.title} · ${tenant?.tenantId ?? 'no tenant'} · Spor`;
    fill(
      nav,
      ...VIEW_NAMES.map((name) => {
        const here = name === state.view ? 'page' : undefined;
        const onclick = (event: Event): void => follow(event, name);
        return h(
          'li',
          {},
          h('a', { href: addressOf(stateFor(name)), 'aria-current': here, onclick }, VIEWS[name].title),
        );
      }),
    );
    nav.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    const heading = h('h1', {}, current.title);
    const waits = tenant !== undefined && !zones.has(tenant.tenantId);
    main.ariaBusy = String(waits);
    if (waits) {
      fill(main, heading);
      void loadZones(tenant.tenantId, moved);
    } else if (tenant) {
      const zone = zoneOf(zones.get(tenant.tenantId), state.segment);
      showTimesIn(zone);
      const page = {
        api,
        session,
        state,
        tenantId: tenant.tenantId,
        segmentIds: tenant.segmentIds,
        zone,
        signal: shown.signal,
        go,
        announce: (text: string) => fill(announcer, text),
      };
      const held = top.contains(document.activeElement) ? controlOf(document.activeElement) : undefined;
      fill(top, toolbar(page));
      // The controls are new, so the keyboard focus moves to the same one.
      for (const control of top.querySelectorAll('select, input'))
        if (held !== undefined && controlOf(control) === held) (control as HTMLElement).focus();
      try {
        fill(main, heading, quotaNotice(page), current.view(page));
      } catch (error) {
        fill(main, heading, failure(error));
      }
    } else {
      fill(top);
      fill(main, heading, noTenant());
    }
    if (moved) main.focus();
  };

  const loadZones = async (tenantId: string, moved: boolean): Promise<void> => {
    const { signal } = shown;
    try {
      zones.set(tenantId, await api.get<ShopZones>('/api/zones', {}, signal));
      if (!signal.aborted) show(moved);
    } catch (error) {
      if (signal.aborted) return;
      main.ariaBusy = 'false';
      fill(
        main,
        failure(error, () => show(moved)),
      );
    }
  };

  const onPop = (): void => show(true);
  window.addEventListener('popstate', onPop);
  fill(
    root,
    h(
      'div',
      { class: 'shell' },
      h('a', { class: 'skip', href: '#main', onclick: (event: Event) => skip(event, main) }, 'Skip to the content'),
      h(
        'header',
        { class: 'side' },
        h('div', { class: 'brand' }, h('img', { src: 'icon.svg', alt: '' }), 'Spor'),
        h('nav', { 'aria-label': 'Views' }, nav),
        h(
          'div',
          { class: 'side-foot' },
          h('p', { class: 'quiet' }, signedInAs(session)),
          themeChoice(),
          h('button', { type: 'button', onclick: signOut }, 'Sign out'),
        ),
      ),
      top,
      main,
    ),
    announcer,
  );
  show(false);
  return {
    close: () => {
      shown.abort();
      window.removeEventListener('popstate', onPop);
    },
  };
}

function zoneOf(zones: ShopZones | undefined, segment: string | undefined): string {
  return (segment === undefined ? undefined : zones?.segments[segment]) ?? zones?.zone ?? 'UTC';
}

/** Label of a control. */
function controlOf(element: Element | null): string | undefined {
  return element?.closest('label')?.firstChild?.textContent ?? undefined;
}

/** Moves the focus by hand: an anchor would replace the view's address. */
function skip(event: Event, main: HTMLElement): void {
  event.preventDefault();
  main.focus();
}

function signedInAs({ role, label, tokenId, tenants, name: person }: SessionAnswer): string {
  if (person !== undefined) return role === 'operator' ? `${person}, operator` : person;
  const name = label === '' ? tokenId.slice(0, 8) : `“${label}”`;
  return role === 'operator' ? `Operator, token ${name}` : `${tenants[0]?.tenantId ?? ''}, token ${name}`;
}

function noTenant(): HTMLElement {
  return empty(
    'There is no tenant yet.',
    h(
      'p',
      {},
      'The first key creates a tenant: ',
      h('code', {}, 'npx spor keys create --tenant my-shop --segment web'),
    ),
  );
}
