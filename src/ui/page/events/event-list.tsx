/** Events, one below the other: when, how grave, what happened, and where to look further. */

import { reader } from '../i18n.ts';
import { Icon } from '../parts/icon.tsx';
import { Time } from '../parts/layout.tsx';
import type { EventResource } from '../resources.ts';
import { href } from '../router.ts';
import { fleet } from '../words/fleet.ts';
import { sentenceOf, shown } from './sentence.ts';
import { SEVERITY_ICONS, severityOf } from './severity.ts';

const t = reader(fleet);

export function EventList({
  label,
  events,
  isOfNode = false,
}: {
  /** What these events are, for screen readers. */
  readonly label: string;
  readonly events: readonly EventResource[];
  /** Whether all are of one node, on whose page they stand. */
  readonly isOfNode?: boolean;
}) {
  return (
    <ol class="events" aria-label={label}>
      {events.map((event) => (
        <Entry key={event.id} event={event} isOfNode={isOfNode} />
      ))}
    </ol>
  );
}

function Entry({ event, isOfNode }: { readonly event: EventResource; readonly isOfNode: boolean }) {
  const { id, at, kind, node_id: node, call_id: call, detail } = event;
  const severity = severityOf(kind);
  const details = Object.entries(detail).filter(([, value]) => value !== null && value !== '');

  return (
    <li class={`event ${severity}`}>
      <Time at={at} />
      <span class="event-mark" title={t(`severity_${severity}`)}>
        <Icon name={SEVERITY_ICONS[severity]} size={14} />
        <span class="sr-only">{t(`severity_${severity}`)}</span>
      </span>
      <div class="event-text">
        <p>{sentenceOf(event)}</p>
        <div class="event-more">
          <code>{kind}</code>
          {node === null || isOfNode ? null : (
            <a href={href(['nodes', node])}>
              {t('node')} {node}
            </a>
          )}
          {call === null ? null : (
            <a class="event-call" href={href(['calls', call])} title={call}>
              {t('call')} <span class="mono">{call}</span>
            </a>
          )}
          {details.length === 0 ? null : (
            <details>
              <summary aria-label={t('show_detail', { id: String(id) })}>{t('detail')}</summary>
              <dl>
                {details.map(([key, value]) => (
                  <div key={key}>
                    <dt>{key}</dt>
                    <dd>{shown(key, value)}</dd>
                  </div>
                ))}
              </dl>
            </details>
          )}
        </div>
      </div>
    </li>
  );
}
