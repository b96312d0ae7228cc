import { h, type DomChild } from './dom.ts';

const MOST_SHOWN = 80;

/** A text, or its beginning with a button for the rest where it is long. */
export function longText(text: string): DomChild {
  const characters = Array.from(text);
  if (characters.length <= MOST_SHOWN) return text;
  const shown = h('span', {}, `${characters.slice(0, MOST_SHOWN - 1).join('')}…`);
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
