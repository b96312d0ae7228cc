export type DomChild = Node | string | number | null | undefined | false | readonly DomChild[];

type Listener = (event: Event) => void;
export type Attributes = Record<string, string | number | boolean | Listener | undefined>;

/**
 * Creates an element.
 *
 * Attributes have their HTML names. True writes an empty one, false and undefined write none, and `on…` adds a
 * listener. Text never becomes markup.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: DomChild[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...nodes(children));
  return element;
}

/** Replaces the children of an element. */
export function fill(element: Element, ...children: DomChild[]): void {
  element.replaceChildren(...nodes(children));
}

function nodes(children: readonly DomChild[]): (Node | string)[] {
  return children.flatMap((child): (Node | string)[] => {
    if (child === null || child === undefined || child === false) return [];
    if (typeof child === 'string' || child instanceof Node) return [child];
    return typeof child === 'number' ? [String(child)] : nodes(child);
  });
}

let ids = 0;

/** A unique id, for labels and descriptions. */
export function newId(what: string): string {
  return `${what}-${++ids}`;
}
