/** What must be said beside the things it is about: failures, warnings, hints; and toasts for what was done. */

import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { ApiFailure } from '../api.ts';
import { reader } from '../i18n.ts';
import { shell } from '../words/shell.ts';
import type { Tone } from './badge.tsx';
import { Button } from './button.tsx';
import { Icon, type IconName } from './icon.tsx';

const t = reader(shell);

const ICONS: Readonly<Record<Tone, IconName>> = {
  good: 'up',
  warn: 'warn',
  bad: 'warn',
  info: 'info',
  idle: 'info',
};

export interface NoticeProps {
  readonly tone: Tone;
  readonly title?: ComponentChildren;
  readonly children?: ComponentChildren;
  readonly action?: ComponentChildren;
  /** Whether a screen reader says it at once: what follows from what somebody did. */
  readonly isUrgent?: boolean;
}

export function Notice({ tone, title, children, action, isUrgent = false }: NoticeProps) {
  return (
    <div class={`notice ${tone}`} role={isUrgent ? 'alert' : undefined}>
      <Icon name={ICONS[tone]} />
      <div class="notice-text">
        {title === undefined ? null : <strong>{title}</strong>}
        {children === undefined ? null : <div>{children}</div>}
      </div>
      {action === undefined ? null : <div class="notice-action">{action}</div>}
    </div>
  );
}

/** Why a request was not done, in the service's own words; nothing if there is no failure. */
export function FailureNotice({
  failure,
  onRetry,
}: {
  readonly failure: ApiFailure | undefined;
  readonly onRetry?: () => void;
}) {
  if (failure === undefined) return null;
  const { status, code, message } = failure;
  const action =
    onRetry === undefined ? undefined : (
      <Button icon="refresh" onClick={onRetry}>
        {t('retry')}
      </Button>
    );

  return status === 0 ? (
    <Notice tone="bad" title={t('no_answer')} action={action} isUrgent>
      {t('no_answer_hint')}
    </Notice>
  ) : (
    <Notice tone="bad" title={status < 300 ? t('odd_answer') : message} action={action} isUrgent>
      <code>{code || `HTTP ${status}`}</code>
    </Notice>
  );
}

interface Toast {
  readonly id: number;
  readonly tone: Tone;
  readonly text: string;
}
const toasts = signal<readonly Toast[]>([]);
/** More than that at a time nobody reads. */
const MAX_TOASTS = 3;
const TOAST_MS = 5000;
let lastId = 0;

/** Says for a while what was done. */
export function toast(text: string, tone: Tone = 'good'): void {
  const id = ++lastId;
  toasts.value = [...toasts.value, { id, tone, text }].slice(-MAX_TOASTS);
  setTimeout(() => {
    toasts.value = toasts.value.filter((one) => one.id !== id);
  }, TOAST_MS);
}

/** The place of the toasts; once on the page. */
export function Toasts() {
  return (
    <div class="toasts" role="status">
      {toasts.value.map(({ id, tone, text }) => (
        <div key={id} class={`toast ${tone}`}>
          <Icon name={ICONS[tone]} />
          {text}
        </div>
      ))}
    </div>
  );
}
