/** What can be done to a node: orders, a check at once, editing, removing. */

import { useState } from 'preact/hooks';
import { reader } from '../i18n.ts';
import { Button } from '../parts/button.tsx';
import { Icon } from '../parts/icon.tsx';
import { type NodeResource, ORDERS } from '../resources.ts';
import { href } from '../router.ts';
import { mayChange } from '../session.ts';
import { fleet } from '../words/fleet.ts';
import { shell } from '../words/shell.ts';
import { CheckDialog } from './check-dialog.tsx';
import { type Deed, OrderDialog } from './order-dialog.tsx';

const t = reader(fleet);
const tShell = reader(shell);

const ICONS = { ready: 'play', drain: 'drain', maint: 'maint' } as const;

export interface NodeActionsProps {
  readonly node: NodeResource;
  /** What an order made of the node. */
  readonly onNode: (node: NodeResource) => void;
  readonly onDone: () => void;
}

export function NodeActions({ node, onNode, onDone }: NodeActionsProps) {
  const [deed, setDeed] = useState<Deed>();
  const [isChecking, setChecking] = useState(false);
  const locked = mayChange.value ? undefined : tShell('only_admin');
  const { state } = node.order;
  // What is most likely wanted next stands last.
  const main = state === 'ready' ? 'drain' : 'ready';
  const orders = [...ORDERS.filter((order) => order !== state && order !== main), main] as const;

  return (
    <>
      <a class="button plain" href={href(['calls'], { node: node.id })}>
        <Icon name="search" size={15} />
        {t('show_calls')}
      </a>
      <Button icon="refresh" disabled={locked} onClick={() => setChecking(true)}>
        {t('check_now')}
      </Button>
      {mayChange.value ? (
        <a class="button plain" href={href(['nodes', node.id, 'edit'])}>
          <Icon name="edit" size={15} />
          {tShell('edit')}
        </a>
      ) : (
        <Button icon="edit" disabled={locked}>
          {tShell('edit')}
        </Button>
      )}
      <Button icon="remove" kind="danger" disabled={locked} onClick={() => setDeed('remove')}>
        {tShell('remove')}
      </Button>
      {orders.map((order) => (
        <Button
          key={order}
          icon={ICONS[order]}
          kind={order === main ? 'primary' : 'plain'}
          disabled={locked}
          onClick={() => setDeed(order)}
        >
          {t(order)}
        </Button>
      ))}
      {isChecking ? (
        <CheckDialog
          id={node.id}
          onClose={() => {
            setChecking(false);
            onDone();
          }}
        />
      ) : null}
      {deed === undefined ? null : (
        <OrderDialog
          node={node}
          deed={deed}
          onClose={() => setDeed(undefined)}
          onNode={(changed) => {
            setDeed(undefined);
            onNode(changed);
          }}
        />
      )}
    </>
  );
}
