import { h, type DomChild } from './dom.ts';

const MOST_SHOWN = 80;

/** The beginning of a text that is too long for a cell. */
export function shortened(text: string): string {
  const characters = Array.from(text);
  return characters.length <= MOST_SHOWN ? text : `${characters.slice(0, MOST_SHOWN - 1).join('')}…`;
}

/** A text, or its beginning with a button for the rest where it is long. */
export function longText(text: string): DomChild {
  const start = shortened(text);
  if (start === text) return text;
  const shown = h('span', {}, start);
  const more = h(
    'button',
    {
      type: 'button',
      class: 'link',
      onclick: () => {
        shown.textContent = text;
        more.remove();
      },
    },
    'Show all',
  );
  return [shown, ' ', more];
}
