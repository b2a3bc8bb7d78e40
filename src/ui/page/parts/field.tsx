/** Fields of forms: a label, a hint, and what is wrong, tied together for screen readers. */

import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface Common {
  readonly label: string;
  readonly hint?: ComponentChildren;
  /** What is wrong with the value; undefined if nothing is. */
  readonly error?: string | undefined;
}

export interface TextFieldProps extends Common {
  readonly value: string;
  readonly onInput: (value: string) => void;
  readonly type?: 'text' | 'password' | 'number' | 'search' | 'datetime-local';
  readonly placeholder?: string;
  readonly isRequired?: boolean;
  readonly isFirst?: boolean;
  readonly isMono?: boolean;
  readonly autoComplete?: string;
  readonly maxLength?: number;
  readonly min?: number | string;
  readonly max?: number | string;
}

export function TextField(props: TextFieldProps) {
  const { label, hint, error, value, onInput, type = 'text', isRequired = false, isFirst = false } = props;
  const id = useId();

  return (
    <div class={error === undefined ? 'field' : 'field wrong'}>
      <label for={id}>{label}</label>
      <input
        id={id}
        // The types know each kind by itself, and no choice of several.
        type={type as 'text'}
        class={props.isMono ? 'mono' : undefined}
        value={value}
        placeholder={props.placeholder}
        required={isRequired}
        autofocus={isFirst}
        autocomplete={props.autoComplete ?? 'off'}
        spellcheck={false}
        maxLength={props.maxLength}
        min={props.min}
        max={props.max}
        aria-invalid={error !== undefined}
        aria-describedby={hint === undefined && error === undefined ? undefined : `${id}-more`}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      <More id={id} hint={hint} error={error} />
    </div>
  );
}

export interface SelectFieldProps<T extends string> extends Common {
  readonly value: T;
  readonly choices: readonly (readonly [T, string])[];
  readonly onChange: (value: T) => void;
}

export function SelectField<T extends string>(props: SelectFieldProps<T>) {
  const { label, hint, error, value, choices, onChange } = props;
  const id = useId();

  return (
    <div class={error === undefined ? 'field' : 'field wrong'}>
      <label for={id}>{label}</label>
      <select
        id={id}
        value={value}
        aria-invalid={error !== undefined}
        aria-describedby={hint === undefined && error === undefined ? undefined : `${id}-more`}
        onChange={(event) => {
          const chosen = choices.find(([choice]) => choice === event.currentTarget.value);
          if (chosen !== undefined) onChange(chosen[0]);
        }}
      >
        {choices.map(([choice, text]) => (
          <option key={choice} value={choice}>
            {text}
          </option>
        ))}
      </select>
      <More id={id} hint={hint} error={error} />
    </div>
  );
}

export function CheckField({
  label,
  hint,
  isChecked,
  onChange,
}: {
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly isChecked: boolean;
  readonly onChange: (isChecked: boolean) => void;
}) {
  const id = useId();

  return (
    <div class="field check">
      <input
        id={id}
        type="checkbox"
        checked={isChecked}
        aria-describedby={hint === undefined ? undefined : `${id}-more`}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <label for={id}>{label}</label>
      <More id={id} hint={hint} />
    </div>
  );
}

function More({
  id,
  hint,
  error,
}: {
  readonly id: string;
  readonly hint?: ComponentChildren;
  readonly error?: string | undefined;
}) {
  if (hint === undefined && error === undefined) return null;

  return (
    <p id={`${id}-more`} class="field-more">
      {error ?? hint}
    </p>
  );
}
