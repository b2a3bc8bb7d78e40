/** Pieces pages are made of: heads, panels, figures, facts, what stands there before there is something, and times. */

import type { ComponentChildren } from 'preact';
import { NOTHING, time, utc } from '../format.ts';
import { reader } from '../i18n.ts';
import { shell } from '../words/shell.ts';
import { Icon, type IconName } from './icon.tsx';

const t = reader(shell);

/** Title of a page, with the way back above and what can be done at the right. */
export function PageHead({
  title,
  back,
  badges,
  actions,
}: {
  readonly title: ComponentChildren;
  readonly back?: { readonly href: string; readonly text: string };
  readonly badges?: ComponentChildren;
  readonly actions?: ComponentChildren;
}) {
  return (
    <div class="page-head">
      {back === undefined ? null : (
        <a class="back" href={back.href}>
          <Icon name="left" size={13} />
          {back.text}
        </a>
      )}
      <div class="page-title">
        <h1>{title}</h1>
        {badges === undefined ? null : <div class="badges">{badges}</div>}
        {actions === undefined ? null : <div class="actions">{actions}</div>}
      </div>
    </div>
  );
}

/** A box with a title. */
export function Panel({
  title,
  tools,
  class: looks = '',
  children,
}: {
  readonly title?: ComponentChildren;
  readonly tools?: ComponentChildren;
  readonly class?: string;
  readonly children: ComponentChildren;
}) {
  return (
    <section class={`panel ${looks}`}>
      {title === undefined && tools === undefined ? null : (
        <header class="panel-head">
          {title === undefined ? null : <h2>{title}</h2>}
          {tools === undefined ? null : <div class="tools">{tools}</div>}
        </header>
      )}
      {children}
    </section>
  );
}

/** Names and values, one below the other. */
export function Facts({
  facts,
}: {
  readonly facts: readonly (readonly [name: string, value: ComponentChildren, title?: string | undefined])[];
}) {
  return (
    <dl class="facts">
      {facts.map(([name, value, title]) => (
        <div key={name} title={title}>
          <dt>{name}</dt>
          <dd>{value ?? NOTHING}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A moment in local time; its title is UTC. */
export function Time({
  at,
  withMillis = false,
}: {
  readonly at: number | null | undefined;
  readonly withMillis?: boolean;
}) {
  if (at === null || at === undefined || at === 0) return <span class="muted">{NOTHING}</span>;

  return (
    <time dateTime={utc(at)} title={utc(at)}>
      {time(at, withMillis)}
    </time>
  );
}

/** What a page says when there is nothing yet, and what to do. */
export function Empty({
  icon = 'info',
  title,
  children,
  action,
  isPage = false,
}: {
  readonly icon?: IconName;
  readonly title: string;
  readonly children?: ComponentChildren;
  readonly action?: ComponentChildren;
  /** Whether it is all there is on the page. */
  readonly isPage?: boolean;
}) {
  const Heading = isPage ? 'h1' : 'h2';

  return (
    <div class="empty">
      <Icon name={icon} size={28} />
      <Heading>{title}</Heading>
      {children === undefined ? null : <div class="empty-text">{children}</div>}
      {action}
    </div>
  );
}

/** Grey lines where something will be. */
export function Skeleton({ lines = 3 }: { readonly lines?: number }) {
  return (
    <div class="skeleton" role="status" aria-label={t('loading')}>
      {Array.from({ length: lines }, (_, index) => (
        <div key={index} />
      ))}
    </div>
  );
}

/** A bar of a share of something, with the words beside it. */
export function Meter({
  share,
  tone,
  label,
}: {
  /** 0 to 1; null if nobody knows. */
  readonly share: number | null;
  readonly tone: 'good' | 'warn' | 'bad' | 'idle';
  readonly label: string;
}) {
  return (
    <svg class={`meter ${tone}`} role="img" aria-label={label} viewBox="0 0 100 6" preserveAspectRatio="none">
      <rect class="meter-rest" width="100" height="6" rx="3" />
      {share === null ? null : (
        <rect class="meter-part" width={Math.min(100, Math.max(share > 0 ? 2 : 0, share * 100))} height="6" />
      )}
    </svg>
  );
}
