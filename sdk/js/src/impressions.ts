import type { ProductsShownFields, Tracker } from './api.ts';

/** An element of the page, as browsers have it. */
export interface PageElement {
  readonly isConnected: boolean;
  getBoundingClientRect(): object;
}

/** A product with its whole card or tile, not only its picture or link. */
export type WatchedProduct = ProductsShownFields['products'][number] & { element: PageElement };

/** Where the products stand: a result, a list or a recommendation, and other fields of the event. */
export type ShownIn = Omit<ProductsShownFields, 'products'>;

export interface Impressions {
  /**
   * Watch products, and track each once it was really seen.
   *
   * A product that was seen in one place is not tracked there again. An element that is watched again has a new product.
   */
  watch(products: Iterable<WatchedProduct>, shownIn: ShownIn): void;
  /** Track now what was seen, watch nothing more and count anew, as when the page shows another view. */
  end(): void;
}

export interface ImpressionsOptions {
  /** Time in view that counts as seen, ms. Default 1 s. */
  seenMs?: number | undefined;
  /** Longest wait for more products of the same event, ms. Default 1 s. */
  waitMs?: number | undefined;
}

/** Most products of an event. */
const MOST_PRODUCTS = 200;
/** Share of an element, or of the window if the element is large, that must be in view. */
const SHARE = 0.5;
/** Shares at which the browser reports: often enough for an element much larger than the window. */
const THRESHOLDS = Array.from({ length: 21 }, (_, step) => step / 20);

interface Watched {
  product: ProductsShownFields['products'][number];
  shownIn: ShownIn;
  inView?: boolean;
  /** Middle of the visible part, from the element's left upper corner. */
  middle?: [x: number, y: number];
  timer?: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Create the impressions of a page, on top of its tracker.
 *
 * Seen means: half of the element, or half of the window, for a second without a break, in a visible tab and not under
 * something else. The share and the time are those of the Media Rating Council's guidelines for viewable impressions.
 * A product that is clicked was seen.
 */
export function createImpressions(
  tracker: Tracker,
  { seenMs = 1000, waitMs = 1000 }: ImpressionsOptions = {},
): Impressions {
  const watched = new Map<Element, Watched>();
  let told = new Set<string>();
  /** Products to track, by the JSON of their place. */
  let seen = new Map<string, ProductsShownFields>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const all = seen;
    seen = new Map();
    for (const fields of all.values()) tracker.productsShown(fields);
  };
  const release = (element: Element): void => {
    clearTimeout(watched.get(element)?.timer);
    watched.delete(element);
    observer?.unobserve(element);
  };
  const see = (element: Element, { product, shownIn }: Watched): void => {
    release(element);
    const place = JSON.stringify(shownIn);
    const name = place + JSON.stringify(product);
    if (told.has(name)) return;
    told.add(name);
    const fields = seen.get(place) ?? { ...shownIn, products: [] };
    seen.set(place, fields);
    timer ??= setTimeout(flush, waitMs);
    if (fields.products.push(product) === MOST_PRODUCTS) flush();
  };
  const wait = (element: Element, one: Watched): void => {
    clearTimeout(one.timer);
    if (!one.inView || document.hidden) return;
    one.timer = setTimeout(() => (isOnTop(element, one) ? see(element, one) : wait(element, one)), seenMs);
  };
  const report = (entries: IntersectionObserverEntry[]): void => {
    for (const { target, boundingClientRect: box, intersectionRect: part, intersectionRatio, rootBounds } of entries) {
      const one = watched.get(target);
      if (!one) continue;
      const area = part.width * part.height;
      const inView =
        area > 0 &&
        (intersectionRatio >= SHARE || area >= SHARE * (rootBounds?.width ?? Infinity) * rootBounds!.height);
      one.middle = [part.left + part.width / 2 - box.left, part.top + part.height / 2 - box.top];
      if (inView === !!one.inView) continue; // Only a change begins or ends the time in view.
      one.inView = inView;
      wait(target, one);
    }
  };
  const observer =
    typeof IntersectionObserver === 'function'
      ? new IntersectionObserver(report, { threshold: THRESHOLDS })
      : undefined;

  if (typeof document === 'object') {
    for (const name of ['click', 'auxclick'])
      document.addEventListener(
        name,
        ({ target }) => {
          for (const [element, one] of watched) if (element.contains(target as Node)) see(element, one);
          flush(); // The click may leave the page.
        },
        true,
      );
    document.addEventListener('visibilitychange', () => {
      for (const [element, one] of watched) wait(element, one);
      if (document.hidden) flush();
    });
    addEventListener('pagehide', flush);
  }

  return {
    watch: (products, shownIn) => {
      for (const { element, ...product } of products) {
        release(element as Element);
        watched.set(element as Element, { product, shownIn });
        observer?.observe(element as Element);
      }
    },
    end: () => {
      flush();
      for (const element of watched.keys()) release(element);
      told = new Set();
    },
  };
}

/** Whether a person can see the middle of an element's visible part: it is neither transparent nor covered. */
function isOnTop(element: Element, { middle }: Watched): boolean {
  if (element.checkVisibility?.({ opacityProperty: true, visibilityProperty: true }) === false) return false;
  const { left, top } = element.getBoundingClientRect();
  const hit = (element.getRootNode() as Document).elementFromPoint?.(left + middle![0], top + middle![1]);
  return !!hit && (hit.contains(element) || element.contains(hit));
}
