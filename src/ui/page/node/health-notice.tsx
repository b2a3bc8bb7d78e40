/** What to do about a node that is not well, where the operator looks first. */

import { time } from '../format.ts';
import { causeText, reader } from '../i18n.ts';
import { Notice } from '../parts/notice.tsx';
import type { NodeResource } from '../resources.ts';
import { fleet } from '../words/fleet.ts';
import { shell } from '../words/shell.ts';

const t = reader(fleet);
const tShell = reader(shell);

export function HealthNotice({ node: { id, health, calls, probe } }: { readonly node: NodeResource }) {
  const { state, since, cause } = health;
  if (state !== 'down' && state !== 'ejected') {
    return probe?.result !== 'failed' ? null : (
      <Notice tone="bad" title={t('node_silent', { node: String(id) })}>
        <p>{probe.reason}</p>
        <p class="muted">{t('node_silent_hint', { node: String(id) })}</p>
      </Notice>
    );
  }

  return (
    <Notice tone="bad" title={t('node_bad', { node: String(id), state: tShell(`health_${state}`) })}>
      <p>{t('node_since', { since: time(since), cause: causeText(cause), calls })}</p>
      <p class="muted">{t(`advice_${state}`)}</p>
    </Notice>
  );
}
