/** Which page an address names. */

import type { ComponentChildren } from 'preact';
import { CallsPage } from './calls/calls-page.tsx';
import { InspectorPage } from './calls/inspector-page.tsx';
import { EventsPage } from './events/events.tsx';
import { reader } from './i18n.ts';
import { NodePage } from './node/node.tsx';
import { NodeFormPage } from './nodes/node-form-page.tsx';
import { SetsPage } from './nodes/sets-page.tsx';
import { OverviewPage } from './overview/overview.tsx';
import { Empty } from './parts/layout.tsx';
import { match, type Place } from './router.ts';
import { shell } from './words/shell.ts';

const t = reader(shell);

/** Entries of the navigation, in their order. */
export const SECTIONS = ['overview', 'calls', 'events', 'sets'] as const;
export type Section = (typeof SECTIONS)[number];
/** Where each begins. */
export const SECTION_PATHS: Readonly<Record<Section, readonly string[]>> = {
  overview: [],
  calls: ['calls'],
  events: ['events'],
  sets: ['sets'],
};

interface Page {
  readonly path: readonly string[];
  readonly section: Section;
  /** For the title of the window; the name of the section if missing. */
  readonly title?: (values: Readonly<Record<string, string>>) => string;
  readonly show: (values: Readonly<Record<string, string>>) => ComponentChildren;
}

/** The first that fits counts. A page begins anew with other values, hence the keys. */
const PAGES: readonly Page[] = [
  { path: [], section: 'overview', show: () => <OverviewPage /> },
  { path: ['calls'], section: 'calls', show: () => <CallsPage /> },
  {
    path: ['calls', ':id'],
    section: 'calls',
    title: ({ id = '' }) => id,
    show: ({ id = '' }) => <InspectorPage key={id} callId={id} />,
  },
  { path: ['events'], section: 'events', show: () => <EventsPage /> },
  { path: ['sets'], section: 'sets', show: () => <SetsPage /> },
  { path: ['nodes', 'new'], section: 'overview', show: () => <NodeFormPage key="new" /> },
  {
    path: ['nodes', ':id'],
    section: 'overview',
    title: ({ id = '' }) => `${t('node')} ${id}`,
    show: ({ id = '' }) => <NodePage key={id} id={id} />,
  },
  {
    path: ['nodes', ':id', 'edit'],
    section: 'overview',
    title: ({ id = '' }) => `${t('node')} ${id}`,
    show: ({ id = '' }) => <NodeFormPage key={id} id={id} />,
  },
];

/** What is shown at a place, and how the window and the navigation name it. */
export function pageAt({ path }: Place): {
  readonly section: Section | undefined;
  readonly title: string;
  readonly content: ComponentChildren;
} {
  for (const page of PAGES) {
    const values = match(page.path, path);
    if (values === undefined) continue;

    return {
      section: page.section,
      title: page.title?.(values) ?? t(page.section),
      content: page.show(values),
    };
  }

  return {
    section: undefined,
    title: t('not_found'),
    content: (
      <Empty isPage title={t('not_found')} action={<a href="#/">{t('to_overview')}</a>}>
        {t('not_found_hint')}
      </Empty>
    ),
  };
}
