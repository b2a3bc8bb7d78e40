/** `#/sets`: what is said of sets as a whole, and changing it. */

import { useState } from 'preact/hooks';
import { ApiFailure, send, useFetch } from '../api.ts';
import { number } from '../format.ts';
import { reader } from '../i18n.ts';
import { Badge } from '../parts/badge.tsx';
import { Button } from '../parts/button.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Empty, PageHead, Skeleton } from '../parts/layout.tsx';
import { FailureNotice, toast } from '../parts/notice.tsx';
import { type Column, Table } from '../parts/table.tsx';
import type { SetResource } from '../resources.ts';
import { href } from '../router.ts';
import { mayChange } from '../session.ts';
import { nodes } from '../words/nodes.ts';
import { SetDialog } from './set-dialog.tsx';

const t = reader(nodes);

/** Calls of sets change all the time, ms. */
const EVERY_MS = 5000;

/** What is open over the page. */
type Open =
  | { readonly what: 'edit'; readonly set: SetResource | undefined }
  | { readonly what: 'forget'; readonly set: SetResource };

export function SetsPage() {
  const { data, failure, reload } = useFetch<{ sets: readonly SetResource[] }>('/v1/sets', EVERY_MS);
  const [open, setOpen] = useState<Open | undefined>(undefined);
  const close = () => setOpen(undefined);
  const forbidden = mayChange.value ? undefined : t('only_admin');

  return (
    <>
      <PageHead
        title={t('sets')}
        actions={
          <Button icon="plus" disabled={forbidden} onClick={() => setOpen({ what: 'edit', set: undefined })}>
            {t('new_set')}
          </Button>
        }
      />
      {data === undefined ? (
        failure === undefined ? (
          <Skeleton lines={4} />
        ) : (
          <FailureNotice failure={failure} onRetry={reload} />
        )
      ) : data.sets.length === 0 ? (
        <div class="panel">
          <Empty title={t('no_sets')}>{t('no_sets_hint')}</Empty>
        </div>
      ) : (
        <div class="panel">
          <Table
            label={t('sets')}
            columns={columnsOf(forbidden, setOpen)}
            rows={data.sets}
            rowKey={({ id }) => id}
          />
        </div>
      )}
      {open?.what === 'edit' ? <SetDialog set={open.set} onClose={close} onSaved={reload} /> : null}
      {open?.what === 'forget' ? <ForgetDialog set={open.set} onClose={close} onDone={reload} /> : null}
    </>
  );
}

function columnsOf(forbidden: string | undefined, onOpen: (open: Open) => void): Column<SetResource>[] {
  return [
    {
      key: 'id',
      head: t('sets'),
      isName: true,
      cell: ({ id }) => (
        <a href={href([], { set: id })} title={t('nodes_of', { id: String(id) })}>
          {t('set_is', { id: String(id) })}
        </a>
      ),
    },
    { key: 'description', head: t('description'), class: 'wide', cell: (set) => set.description || null },
    { key: 'nodes', head: t('nodes'), isNumber: true, cell: (set) => number(set.nodes) },
    { key: 'calls', head: t('calls'), isNumber: true, cell: (set) => number(set.calls) },
    {
      key: 'policy',
      head: t('policy'),
      cell: ({ policy, load_by: loadBy }) =>
        policy === 'least-load' ? `${policy} · ${t(`load_by_${loadBy}`)}` : policy,
    },
    {
      key: 'reserve',
      head: t('port_reserve'),
      isNumber: true,
      cell: ({ port_reserve: reserve }) => `${number(reserve)} %`,
    },
    {
      key: 'direction',
      head: t('direction'),
      cell: ({ direction }) => direction ?? <span class="muted">{t('direction_none')}</span>,
    },
    {
      key: 'probe',
      head: t('media_probe'),
      cell: ({ media_probe: isOn = false }) => (
        <Badge tone={isOn ? 'info' : 'idle'} icon={isOn ? 'up' : 'pause'}>
          {t(isOn ? 'media_probe_on' : 'media_probe_off')}
        </Badge>
      ),
    },
    {
      key: 'actions',
      head: <span class="sr-only">{t('actions')}</span>,
      class: 'set-actions wide',
      cell: (set) => (
        <div>
          {set.nodes > 0 ? null : (
            <Button
              kind="quiet"
              icon="remove"
              label={t('forget_set', { id: String(set.id) })}
              disabled={forbidden}
              onClick={() => onOpen({ what: 'forget', set })}
            />
          )}
          <Button
            kind="quiet"
            icon="edit"
            label={t('edit_set', { id: String(set.id) })}
            disabled={forbidden}
            onClick={() => onOpen({ what: 'edit', set })}
          />
        </div>
      ),
    },
  ];
}

function ForgetDialog({
  set,
  onClose,
  onDone,
}: {
  readonly set: SetResource;
  readonly onClose: () => void;
  readonly onDone: () => void;
}) {
  const [failure, setFailure] = useState<ApiFailure | undefined>(undefined);
  const id = String(set.id);
  const forget = async (): Promise<void> => {
    const answer = await send('DELETE', `/v1/sets/${id}`);
    if (answer instanceof ApiFailure) {
      setFailure(answer);

      return;
    }
    toast(t('forgotten', { id }));
    onDone();
    onClose();
  };

  return (
    <Dialog
      title={t('forget_set', { id })}
      onClose={onClose}
      onSubmit={() => {
        forget();
      }}
      actions={
        <Button type="submit" kind="danger">
          {t('forget')}
        </Button>
      }
    >
      <p>{t('forget_hint', { id })}</p>
      <FailureNotice failure={failure} />
    </Dialog>
  );
}
