/** What an operator sees before there is any node: how to add the first one. */

import { reader } from '../i18n.ts';
import { Icon } from '../parts/icon.tsx';
import { Empty } from '../parts/layout.tsx';
import { href } from '../router.ts';
import { mayChange } from '../session.ts';
import { fleet } from '../words/fleet.ts';

const t = reader(fleet);

/** Addresses from the blocks for documentation (RFC 5737). */
const COMMAND = 'rtp-cluster node add udp:192.0.2.10:7890 --set 0 --inner 192.0.2.10 --outer 198.51.100.10';

export function FirstNode() {
  return (
    <section class="panel">
      <Empty
        icon="plus"
        title={t('no_nodes')}
        action={
          mayChange.value ? (
            <a class="button primary" href={href(['nodes', 'new'])}>
              <Icon name="plus" size={15} />
              {t('add_node')}
            </a>
          ) : undefined
        }
      >
        <p>{t('no_nodes_hint')}</p>
        <p>{t('add_by_command')}</p>
        <code class="command">{COMMAND}</code>
      </Empty>
    </section>
  );
}
