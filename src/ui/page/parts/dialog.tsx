/** A dialog over the page. The browser keeps the focus inside, ends it with Escape, and gives the focus back. */

import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { reader } from '../i18n.ts';
import { isLoggedIn } from '../session.ts';
import { shell } from '../words/shell.ts';
import { Button } from './button.tsx';

const t = reader(shell);

export interface DialogProps {
  readonly title: string;
  readonly children: ComponentChildren;
  /** Buttons, the one that does it last; one that closes comes before them by itself. */
  readonly actions: ComponentChildren;
  /** Whether there is nothing to cancel. */
  readonly isReport?: boolean;
  readonly onClose: () => void;
  /** Enter in a field does what the last button does. */
  readonly onSubmit?: () => void;
  readonly isWide?: boolean;
}

/** Shown while it is rendered. */
export function Dialog({
  title,
  children,
  actions,
  onClose,
  onSubmit,
  isWide = false,
  isReport = false,
}: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const isIn = isLoggedIn.value;
  useEffect(() => {
    // A dialog would keep everything from the login page. What is typed stays.
    if (!isIn) return;
    const opener = document.activeElement;
    const { current } = element;
    current?.showModal();

    return () => {
      current?.close();
      if (opener instanceof HTMLElement) opener.focus();
      // What opened it may be gone with what was done.
      requestAnimationFrame(() => {
        const isLost = document.activeElement === document.body;
        if (isLost) document.getElementById('main')?.focus({ preventScroll: true });
      });
    };
  }, [isIn]);

  return (
    <dialog
      ref={element}
      class={isWide ? 'dialog wide' : 'dialog'}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          onSubmit?.();
        }}
      >
        <header>
          <h2 id={heading}>{title}</h2>
          <Button kind="quiet" icon="close" label={t('close')} onClick={onClose} />
        </header>
        <div class="dialog-body">{children}</div>
        <footer>
          <Button onClick={onClose}>{t(isReport ? 'close' : 'cancel')}</Button>
          {actions}
        </footer>
      </form>
    </dialog>
  );
}
