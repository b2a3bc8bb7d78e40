/** The form of a set, over the page of sets. */

import { useState } from 'preact/hooks';
import { ApiFailure, send } from '../api.ts';
import { reader } from '../i18n.ts';
import { Button } from '../parts/button.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { CheckField, SelectField, TextField } from '../parts/field.tsx';
import { FailureNotice, toast } from '../parts/notice.tsx';
import type { SetResource } from '../resources.ts';
import { nodes } from '../words/nodes.ts';

const t = reader(nodes);

const POLICIES = ['hash', 'least-load', 'round-robin'] as const;
const LOADS = ['sessions', 'ports'] as const;
/** Fields whose errors stand beside them. */
const FIELDS = ['id', 'port_reserve', 'direction'] as const;
type Field = (typeof FIELDS)[number];

export function SetDialog({
  set,
  onClose,
  onSaved,
}: {
  /** Undefined for one that is not there yet. */
  readonly set: SetResource | undefined;
  readonly onClose: () => void;
  readonly onSaved: () => void;
}) {
  const [draft, setDraft] = useState(() => ({
    id: set === undefined ? '' : String(set.id),
    description: set?.description ?? '',
    policy: set?.policy ?? 'hash',
    loadBy: set?.load_by ?? 'sessions',
    reserve: String(set?.port_reserve ?? 5),
    direction: set?.direction ?? '',
    hasProbe: set?.media_probe ?? false,
  }));
  const [failure, setFailure] = useState<ApiFailure | undefined>(undefined);
  const [wrong, setWrong] = useState<{ readonly field: Field; readonly text: string } | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  const change = (fields: Partial<typeof draft>) => {
    setDraft({ ...draft, ...fields });
    setWrong(undefined);
    setFailure(undefined);
  };
  const errorOf = (field: Field) => (wrong?.field === field ? wrong.text : undefined);
  const save = async (): Promise<void> => {
    for (const [field, value] of [
      ['id', draft.id],
      ['port_reserve', draft.reserve],
    ] as const) {
      if (/^\d+$/.test(value.trim())) continue;
      setWrong({ field, text: value.trim() === '' ? t('wanted') : t('not_a_number', { value }) });

      return;
    }
    setBusy(true);
    const id = draft.id.trim();
    const answer = await send('PUT', `/v1/sets/${id}`, {
      description: draft.description.trim(),
      policy: draft.policy,
      load_by: draft.loadBy,
      port_reserve: Number(draft.reserve),
      direction: draft.direction.trim() === '' ? null : draft.direction.trim(),
      media_probe: draft.hasProbe,
    });
    setBusy(false);
    if (answer instanceof ApiFailure) {
      const field = FIELDS.find((name) => answer.message.startsWith(`${name} `));
      if (field === undefined) setFailure(answer);
      else setWrong({ field, text: answer.message });

      return;
    }
    toast(t('set_saved', { id }));
    onSaved();
    onClose();
  };

  return (
    <Dialog
      title={set === undefined ? t('new_set') : t('edit_set', { id: String(set.id) })}
      onClose={onClose}
      onSubmit={() => {
        if (!isBusy) save();
      }}
      actions={
        <Button type="submit" kind="primary" isBusy={isBusy}>
          {t('save')}
        </Button>
      }
    >
      {set === undefined ? (
        <TextField
          label={t('set_id')}
          hint={t('set_id_hint')}
          error={errorOf('id')}
          value={draft.id}
          onInput={(id) => change({ id })}
          isRequired
          isFirst
        />
      ) : null}
      <TextField
        label={t('description')}
        hint={t('description_hint')}
        value={draft.description}
        maxLength={256}
        onInput={(description) => change({ description })}
      />
      <SelectField
        label={t('policy')}
        hint={t(`policy_hint_${draft.policy}`)}
        value={draft.policy}
        choices={POLICIES.map((policy) => [policy, t(`policy_${policy}`)])}
        onChange={(policy) => change({ policy })}
      />
      {draft.policy === 'least-load' ? (
        <SelectField
          label={t('load_by')}
          hint={t('load_by_hint')}
          value={draft.loadBy}
          choices={LOADS.map((load) => [load, t(`load_by_${load}`)])}
          onChange={(loadBy) => change({ loadBy })}
        />
      ) : null}
      <TextField
        label={t('port_reserve')}
        hint={t('port_reserve_hint')}
        error={errorOf('port_reserve')}
        value={draft.reserve}
        onInput={(reserve) => change({ reserve })}
      />
      <TextField
        label={t('direction')}
        hint={t('direction_hint')}
        error={errorOf('direction')}
        value={draft.direction}
        placeholder={t('direction_none')}
        onInput={(direction) => change({ direction })}
      />
      <CheckField
        label={t('media_probe')}
        hint={t('media_probe_hint')}
        isChecked={draft.hasProbe}
        onChange={(hasProbe) => change({ hasProbe })}
      />
      <FailureNotice failure={failure} />
    </Dialog>
  );
}
