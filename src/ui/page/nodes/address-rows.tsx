/** The media addresses in the form of a node: one line for each side and family. */

import { useId } from 'preact/hooks';
import { reader } from '../i18n.ts';
import { Button } from '../parts/button.tsx';
import { nodes } from '../words/nodes.ts';
import { type AddressDraft, familyOf } from './draft.ts';

const t = reader(nodes);

/** Lines a node can have here; the API takes more, and nobody needs them. */
const MAX_ROWS = 32;

export function AddressRows({
  rows,
  sides,
  hasInterfaces,
  error,
  onChange,
}: {
  readonly rows: readonly AddressDraft[];
  /** Sides that are known, to choose from. */
  readonly sides: readonly string[];
  readonly hasInterfaces: boolean;
  readonly error: string | undefined;
  readonly onChange: (rows: readonly AddressDraft[]) => void;
}) {
  const id = useId();
  const change = (index: number, fields: Partial<AddressDraft>) =>
    onChange(rows.map((row, at) => (at === index ? { ...row, ...fields } : row)));

  return (
    <div
      class={`nf-addresses${hasInterfaces ? ' with-interface' : ''}${error === undefined ? '' : ' wrong'}`}
    >
      <datalist id={id}>
        {sides.map((side) => (
          <option key={side} value={side} />
        ))}
      </datalist>
      <div class="nf-address heads" aria-hidden="true">
        <span>{t('side')}</span>
        <span>{t('address')}</span>
        {hasInterfaces ? <span>{t('interface')}</span> : null}
      </div>
      {rows.map((row, index) => {
        const n = index + 1;
        const family = familyOf(row.address);

        return (
          <div key={`${id}-${n}`} class="nf-address">
            <input
              aria-label={t('row_side', { n })}
              value={row.side}
              list={id}
              autocomplete="off"
              spellcheck={false}
              onInput={(event) => change(index, { side: event.currentTarget.value })}
            />
            <span class="nf-ip">
              <input
                class="mono"
                aria-label={t('row_address', { n })}
                aria-invalid={error !== undefined}
                aria-describedby={error === undefined ? undefined : `${id}-error`}
                value={row.address}
                autocomplete="off"
                spellcheck={false}
                onInput={(event) => change(index, { address: event.currentTarget.value })}
              />
              {family === undefined ? null : <small>{t(`family_${family}`)}</small>}
            </span>
            {hasInterfaces ? (
              <input
                class="mono"
                aria-label={t('row_interface', { n })}
                value={row.interface}
                placeholder={t('interface_none')}
                autocomplete="off"
                spellcheck={false}
                onInput={(event) => change(index, { interface: event.currentTarget.value })}
              />
            ) : null}
            <Button
              kind="quiet"
              icon="close"
              label={t('remove_address', { n })}
              onClick={() => onChange(rows.filter((_, at) => at !== index))}
            />
          </div>
        );
      })}
      {error === undefined ? null : (
        <p id={`${id}-error`} class="field-more nf-error">
          {error}
        </p>
      )}
      {rows.length >= MAX_ROWS ? null : (
        <div>
          <Button
            icon="plus"
            onClick={() => onChange([...rows, { side: nextSide(rows), address: '', interface: '' }])}
          >
            {t('add_address')}
          </Button>
        </div>
      )}
    </div>
  );
}

/** Whichever of the two sides that are everywhere has fewer addresses. */
function nextSide(rows: readonly AddressDraft[]): string {
  const count = (side: string) => rows.filter((row) => row.side === side).length;

  return count('outer') < count('inner') ? 'outer' : 'inner';
}
