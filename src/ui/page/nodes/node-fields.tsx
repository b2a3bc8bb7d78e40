/** The fields of a node, in three groups: the relay, its addresses, what new calls it gets. */

import { reader } from '../i18n.ts';
import { Segments } from '../parts/button.tsx';
import { TextField } from '../parts/field.tsx';
import { Panel } from '../parts/layout.tsx';
import type { SetResource } from '../resources.ts';
import { nodes } from '../words/nodes.ts';
import { AddressRows } from './address-rows.tsx';
import type { Draft, Field } from './draft.ts';

const t = reader(nodes);

export interface NodeFieldsProps {
  readonly draft: Draft;
  /** What is wrong, by field. */
  readonly errors: Partial<Readonly<Record<Field, string>>>;
  readonly sides: readonly string[];
  readonly sets: readonly SetResource[];
  readonly isNew: boolean;
  readonly onChange: (fields: Partial<Draft>) => void;
}

export function NodeFields(props: NodeFieldsProps) {
  return (
    <div class="nf-fields">
      <RelayFields {...props} />
      <AddressFields {...props} />
      <PlacementFields {...props} />
    </div>
  );
}

function RelayFields({ draft, errors, isNew, onChange }: NodeFieldsProps) {
  return (
    <Panel title={t('relay')}>
      <div class="nf-body">
        <div class="field">
          <span class="nf-label">{t('kind')}</span>
          <div>
            <Segments
              label={t('kind')}
              value={draft.kind}
              choices={[
                ['rtpengine', t('kind_rtpengine')],
                ['rtpproxy', t('kind_rtpproxy')],
              ]}
              onChange={(kind) => onChange({ kind })}
            />
          </div>
          {errors.kind === undefined && isNew ? null : (
            <p class={errors.kind === undefined ? 'field-more' : 'field-more nf-error'}>
              {errors.kind ?? t('kind_hint')}
            </p>
          )}
        </div>
        <TextField
          label={t('socket')}
          hint={t(`socket_hint_${draft.kind}`)}
          error={errors.socket}
          value={draft.socket}
          placeholder={draft.kind === 'rtpengine' ? 'udp:192.168.2.3:7890' : 'udp:192.168.2.3:22222'}
          onInput={(socket) => onChange({ socket })}
          isRequired
          isMono
          isFirst={isNew}
        />
        {draft.kind === 'rtpproxy' ? null : (
          <div class="nf-short">
            <TextField
              label={t('http_port')}
              hint={t('http_port_hint')}
              error={errors.http_port}
              value={draft.httpPort}
              onInput={(httpPort) => onChange({ httpPort })}
              isMono
            />
          </div>
        )}
      </div>
    </Panel>
  );
}

function AddressFields({ draft, errors, sides, onChange }: NodeFieldsProps) {
  const isProxy = draft.kind === 'rtpproxy';

  return (
    <Panel title={t('addresses')}>
      <div class="nf-body">
        <p class="muted small">{t('addresses_hint')}</p>
        {isProxy ? (
          <p class="muted small">{t('impose_hint_rtpproxy')}</p>
        ) : (
          <div class="field">
            <span class="nf-label">{t('impose_mode')}</span>
            <div>
              <Segments
                label={t('impose_mode')}
                value={draft.imposeMode}
                choices={[
                  ['media-address', t('impose_media-address')],
                  ['interface', t('impose_interface')],
                ]}
                onChange={(imposeMode) => onChange({ imposeMode })}
              />
            </div>
            <p class={errors.impose_mode === undefined ? 'field-more' : 'field-more nf-error'}>
              {errors.impose_mode ?? t(`impose_hint_${draft.imposeMode}`)}
            </p>
          </div>
        )}
        <AddressRows
          rows={draft.addresses}
          sides={sides}
          hasInterfaces={isProxy || draft.imposeMode === 'interface'}
          error={errors.media_addresses}
          onChange={(addresses) => onChange({ addresses })}
        />
      </div>
    </Panel>
  );
}

function PlacementFields({ draft, errors, sets, onChange }: NodeFieldsProps) {
  const known = sets.map(({ id, description }) => `${id} ${description}`.trim()).join(', ');

  return (
    <Panel title={t('placement')}>
      <div class="nf-body nf-grid">
        <TextField
          label={t('set')}
          hint={`${t('set_hint')} ${known === '' ? '' : t('set_list', { sets: known })}`.trim()}
          error={errors.set_id}
          value={draft.setId}
          onInput={(setId) => onChange({ setId })}
        />
        <TextField
          label={t('weight')}
          hint={t('weight_hint')}
          error={errors.weight}
          value={draft.weight}
          onInput={(weight) => onChange({ weight })}
        />
        <TextField
          label={t('priority')}
          hint={t('priority_hint')}
          error={errors.priority}
          value={draft.priority}
          onInput={(priority) => onChange({ priority })}
        />
        <TextField
          label={t('capacity')}
          hint={t('capacity_hint')}
          error={errors.capacity}
          value={draft.capacity}
          onInput={(capacity) => onChange({ capacity })}
        />
        <div class="nf-whole">
          <TextField
            label={t('tags')}
            hint={t('tags_hint')}
            error={errors.tags}
            value={draft.tags}
            onInput={(tags) => onChange({ tags })}
          />
        </div>
      </div>
    </Panel>
  );
}
