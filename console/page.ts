import type { SessionAnswer } from '../query/http/contract/sessionAnswer.ts';
import type { Api } from './api.ts';
import type { ViewState } from './viewState.ts';

/** Dependencies of a view. */
export interface Page {
  api: Api;
  session: SessionAnswer;
  state: ViewState;
  tenantId: string;
  /** Known segments of the tenant. */
  segmentIds: readonly string[];
  /** Time zone of the chosen segment or the tenant: that of days and times. */
  zone: string;
  /** Aborts when the viewer leaves the view. */
  signal: AbortSignal;
  /** Shows another state, and changes the address. */
  go: (change: Partial<ViewState>) => void;
  /** Announces a text to assistive software. */
  announce: (text: string) => void;
}

/** A view fills an element and runs until the page's signal aborts. */
export type ConsoleView = (page: Page) => HTMLElement;
