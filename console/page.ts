import type { SessionAnswer } from '../query/http/routes/session.ts';
import type { Api } from './api.ts';
import type { ViewState } from './viewState.ts';

/** What a view is given to show itself. */
export interface Page {
  api: Api;
  session: SessionAnswer;
  state: ViewState;
  tenantId: string;
  /** Segments known of the tenant. */
  segmentIds: readonly string[];
  /** Fires when the view is left. */
  signal: AbortSignal;
  /** Shows another state; the address follows. */
  go: (change: Partial<ViewState>) => void;
  /** Says something to people who do not see the page. */
  announce: (text: string) => void;
}

/** A view fills an element; it goes on until the page's signal fires. */
export type ConsoleView = (page: Page) => HTMLElement;
