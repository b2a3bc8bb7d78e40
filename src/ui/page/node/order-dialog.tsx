/** Asks why, says what it means, and gives the order. */

import { useState } from 'preact/hooks';
import { ApiFailure, send, serviceNow, useFetch } from '../api.ts';
import { reader } from '../i18n.ts';
import { Button } from '../parts/button.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { CheckField, SelectField, TextField } from '../parts/field.tsx';
import { FailureNotice, Notice, toast } from '../parts/notice.tsx';
import type { NodePage, NodeResource, Order } from '../resources.ts';
import { go } from '../router.ts';
import { session } from '../session.ts';
import { fleet } from '../words/fleet.ts';
import { shell } from '../words/shell.ts';

const t = reader(fleet);
const tShell = reader(shell);

/** An order, or removing the node. */
export type Deed = Order | 'remove';
/** How many nodes of the set are looked at for one that takes the calls. */
const LOOKED_AT = 100;
const MINUTES = ['', '15', '30', '60', '120', '240', '480', '1440'] as const;
type Minutes = (typeof MINUTES)[number];

export interface OrderDialogProps {
  readonly node: NodeResource;
  readonly deed: Deed;
  readonly onClose: () => void;
  /** What the order made of the node; not told of one that was removed. */
  readonly onNode: (node: NodeResource) => void;
}

export function OrderDialog({ node, deed, onClose, onNode }: OrderDialogProps) {
  const [reason, setReason] = useState('');
  const [isMissing, setMissing] = useState(false);
  const [minutes, setMinutes] = useState<Minutes>('');
  const [isTold, setTold] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<ApiFailure>();
  const name = { node: String(node.id) };
  const isLast = useIsLast(node) && deed !== 'ready';
  const asksWhy = deed === 'drain' || deed === 'maint';
  const submit = async (): Promise<void> => {
    setMissing(asksWhy && reason.trim() === '');
    if (isBusy || (asksWhy && reason.trim() === '')) return;
    setBusy(true);
    setFailure(undefined);
    const answer = await give(node.id, deed, { reason: reason.trim(), minutes: Number(minutes), isTold });
    setBusy(false);
    if (answer instanceof ApiFailure) return setFailure(answer);
    toast(t(`done_${deed}`, name));
    if (answer.warning !== undefined) toast(answer.warning, 'warn');
    if (deed === 'remove') go('#/');
    else onNode(answer);
  };

  return (
    <Dialog
      title={t(`do_${deed}`, name)}
      onClose={onClose}
      onSubmit={submit}
      actions={
        <Button kind={deed === 'remove' ? 'danger' : 'primary'} type="submit" isBusy={isBusy}>
          {deed === 'remove' ? tShell('remove') : t(deed)}
        </Button>
      }
    >
      <p>
        {t(deed === 'drain' && node.calls === 0 ? 'no_calls_on_it' : `${deed}_means`, { calls: node.calls })}
        {deed === 'drain' && !isLast ? ` ${t('drain_others', { set: String(node.set_id) })}` : null}
      </p>
      {isLast ? (
        <Notice tone="warn" title={t('last_node', { set: String(node.set_id) })}>
          {t('last_node_hint')}
        </Notice>
      ) : null}
      {deed === 'remove' ? null : (
        <TextField
          label={t('reason_label')}
          hint={t('reason_hint')}
          value={reason}
          error={isMissing ? t('reason_missing') : undefined}
          maxLength={256}
          isRequired={asksWhy}
          isFirst
          onInput={(value) => {
            setReason(value);
            setMissing(false);
          }}
        />
      )}
      {asksWhy ? (
        <SelectField
          label={t(deed === 'drain' ? 'deadline' : 'maint_end')}
          hint={deed === 'maint' ? t('maint_end_hint') : undefined}
          value={minutes}
          choices={MINUTES.map((value) => [value, spanText(value, deed)])}
          onChange={setMinutes}
        />
      ) : null}
      {deed === 'drain' && node.kind === 'rtpengine' ? (
        <CheckField
          label={t('tell_relay')}
          hint={t('tell_relay_hint')}
          isChecked={isTold}
          onChange={setTold}
        />
      ) : null}
      <FailureNotice failure={failure} />
    </Dialog>
  );
}

function spanText(minutes: Minutes, deed: 'drain' | 'maint'): string {
  if (minutes === '') return t(deed === 'drain' ? 'deadline_none' : 'maint_none');
  const n = Number(minutes);

  return n < 60 ? t('minutes', { n }) : t('hours', { n: n / 60 });
}

function give(
  id: number,
  deed: Deed,
  {
    reason,
    minutes,
    isTold,
  }: { readonly reason: string; readonly minutes: number; readonly isTold: boolean },
): Promise<(NodeResource & { readonly warning?: string }) | ApiFailure> {
  const path = `/v1/nodes/${id}`;
  if (deed === 'remove') return send('DELETE', path);
  const { who = null, needs_token: needsToken = false } = session.peek() ?? {};
  // Without tokens nobody has a name; that it came from here is worth knowing.
  const by = needsToken && who !== null ? who : 'dashboard';
  const more = {
    ready: {},
    drain: { deadline_s: minutes === 0 ? null : minutes * 60, ...(isTold ? { tell_relay: true } : {}) },
    maint: { until: minutes === 0 ? null : serviceNow() + minutes * 60_000 },
  };

  return send('POST', `${path}/${deed}`, { reason, by, ...more[deed] });
}

/** Whether it takes new calls, and no other node of its set does. */
function useIsLast(node: NodeResource): boolean {
  const { data } = useFetch<NodePage>(`/v1/nodes?set=${node.set_id}&state=up&limit=${LOOKED_AT}`);
  if (data === undefined || node.takes_new_calls === 'no' || data.total > LOOKED_AT) return false;

  return data.nodes.every(({ id, takes_new_calls: takes }) => id === node.id || takes !== 'yes');
}
