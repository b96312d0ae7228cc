import { h } from './dom.ts';

const KEY = 'spor.theme';
const THEMES = ['auto', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];
const NAMES: Record<Theme, string> = { auto: 'System', light: 'Light', dark: 'Dark' };

function chosen(): Theme {
  return THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? 'auto';
}

function apply(): void {
  const theme = chosen();
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  document.dispatchEvent(new Event('themechange'));
}

/** Applies the viewer's theme, or the system's; `themechange` tells charts to redraw. */
export function startTheme(): void {
  apply();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
}

/** The control that chooses the theme, and remembers it. */
export function themeChoice(): HTMLElement {
  const select = h(
    'select',
    {
      onchange: () => {
        localStorage.setItem(KEY, select.value);
        apply();
      },
    },
    ...THEMES.map((theme) => h('option', { value: theme, selected: theme === chosen() }, NAMES[theme])),
  );
  return h('label', {}, 'Colours', select);
}
