/** Buttons. One that cannot be used stays in reach of the keyboard and says why. */

import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { Icon, type IconName } from './icon.tsx';

export interface ButtonProps {
  readonly children?: ComponentChildren;
  readonly icon?: IconName | undefined;
  readonly kind?: 'plain' | 'primary' | 'danger' | 'quiet';
  readonly type?: 'button' | 'submit';
  /** For buttons with an icon only. */
  readonly label?: string | undefined;
  /** Why it cannot be used; undefined if it can. */
  readonly disabled?: string | undefined;
  readonly isBusy?: boolean;
  readonly isPressed?: boolean | undefined;
  readonly title?: string | undefined;
  readonly onClick?: (event: MouseEvent) => void;
}

export function Button(props: ButtonProps) {
  const { children, icon, kind = 'plain', type = 'button', label, disabled, isBusy = false, title } = props;
  const why = useId();
  const isOff = disabled !== undefined || isBusy;

  return (
    <>
      <button
        type={type}
        class={`button ${kind}${children === undefined ? ' only-icon' : ''}`}
        aria-label={label}
        aria-disabled={isOff}
        aria-busy={isBusy}
        aria-pressed={props.isPressed}
        aria-describedby={disabled === undefined ? undefined : why}
        title={disabled ?? title ?? label}
        onClick={(event) => {
          if (isOff) event.preventDefault();
          else props.onClick?.(event);
        }}
      >
        {icon === undefined ? null : <Icon name={icon} size={15} />}
        {children === undefined ? null : <span>{children}</span>}
      </button>
      {disabled === undefined ? null : (
        <span id={why} class="sr-only">
          {disabled}
        </span>
      )}
    </>
  );
}

/** A few values of which one holds, as buttons side by side. */
export function Segments<T extends string>({
  label,
  value,
  choices,
  onChange,
}: {
  readonly label: string;
  readonly value: T;
  readonly choices: readonly (readonly [T, string])[];
  readonly onChange: (value: T) => void;
}) {
  return (
    <fieldset class="segments" aria-label={label}>
      {choices.map(([choice, text]) => (
        <button key={choice} type="button" aria-pressed={choice === value} onClick={() => onChange(choice)}>
          {text}
        </button>
      ))}
    </fieldset>
  );
}
