/** Light or dark: as the system says, until somebody chooses. */

import { computed, effect, signal } from '@preact/signals';
import { keep, kept } from './storage.ts';

export type Theme = 'light' | 'dark';

const KEY = 'rtp-cluster.theme';
const asked = matchMedia('(prefers-color-scheme: dark)');
const ofSystem = signal<Theme>(asked.matches ? 'dark' : 'light');
asked.addEventListener('change', () => {
  ofSystem.value = asked.matches ? 'dark' : 'light';
});

const said = kept(KEY);
const chosen = signal<Theme | null>(said === 'light' || said === 'dark' ? said : null);

/** The theme in use. What draws on a canvas reads its colours anew when it changes. */
export const theme = computed<Theme>(() => chosen.value ?? ofSystem.value);

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});

/** The other one; back to that of the system is no choice any more. */
export function switchTheme(): void {
  const next = theme.peek() === 'dark' ? 'light' : 'dark';
  chosen.value = next === ofSystem.peek() ? null : next;
  keep(KEY, chosen.value);
}

/** Value of a colour token as in `style.css`, `--accent`. */
export function token(name: `--${string}`): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
