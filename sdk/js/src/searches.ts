import type { SearchFields, Tracker } from './api.ts';

export interface Searches {
  /**
   * Track the results that the page shows.
   *
   * The same phrase, filters and sort in this tab are the same search: further pages, a reload, a way back.
   * @returns the search's id.
   */
  shown(fields: SearchFields): string;
  /**
   * Track the results for what the visitor has typed so far, once the visitor pauses or clicks.
   *
   * What is typed on, or left with the page, is no search.
   */
  typed(fields: SearchFields): void;
}

export interface SearchesOptions {
  /** Pause after which a typed phrase is a search, ms. Default 1 s. */
  settleMs?: number | undefined;
}

/** A question asked again after this time is another search, as it is of another visit. */
const SAME_SEARCH_MS = 30 * 60_000;
/** In the tab's storage. Begins like all names of the tracker, which removes them when the visitor refuses. */
const STORED = 'spor.searches';

type Asked = [question: string, searchId: string, time: number];

/** Create the searches of a page, on top of its tracker. */
export function createSearches(tracker: Tracker, { settleMs = 1000 }: SearchesOptions = {}): Searches {
  let asked: Asked | undefined;
  let pending: SearchFields | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const stored = (): Asked | undefined => {
    try {
      return JSON.parse(sessionStorage.getItem(STORED)!) as Asked;
    } catch {
      return; // No storage here, or something else in it.
    }
  };
  const store = (): void => {
    try {
      if (tracker.ids().anonymousId) sessionStorage.setItem(STORED, JSON.stringify(asked));
    } catch {
      // Then this page alone knows.
    }
  };
  const shown = (fields: SearchFields): string => {
    pending = undefined;
    const now = Date.now();
    const question = JSON.stringify([fields.phrase, fields.filters, fields.sort]);
    const [before, id, time = 0] = asked ?? stored() ?? [];
    const isSame = before === question && Math.abs(now - time) < SAME_SEARCH_MS;
    const searchId = tracker.search({ ...fields, searchId: fields.searchId || (isSame ? id : undefined) });
    asked = [question, searchId, now];
    store();
    return searchId;
  };
  const settle = (): void => {
    if (pending) shown(pending);
  };
  const clicked = ({ target }: Event): void => {
    // The button of a form brings results of its own.
    if (!(target as Element | null)?.closest?.('form button, form [type=submit]')) settle();
  };
  if (typeof document === 'object')
    for (const name of ['click', 'auxclick']) document.addEventListener(name, clicked, true);

  return {
    shown,
    typed: (fields) => {
      pending = fields;
      clearTimeout(timer);
      timer = setTimeout(settle, settleMs);
    },
  };
}
