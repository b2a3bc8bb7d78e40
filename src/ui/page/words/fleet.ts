/** Texts about nodes and what happens to them: those of the overview, of a node and of events, which share many. */

import { events } from './events.ts';
import { node } from './node.ts';
import { overview } from './overview.ts';

export const fleet = {
  en: { ...overview.en, ...node.en, ...events.en },
  zh: { ...overview.zh, ...node.zh, ...events.zh },
} as const;
