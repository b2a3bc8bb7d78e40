/** Puts a text into the clipboard. */

import { Button } from '../parts/button.tsx';
import { toast } from '../parts/notice.tsx';
import { t } from './said.ts';

export function CopyButton({
  text,
  label,
  children,
}: {
  readonly text: string;
  /** What is copied, for the title and for screen readers. */
  readonly label: string;
  readonly children?: preact.ComponentChildren;
}) {
  return (
    <Button
      kind="quiet"
      icon="copy"
      label={label}
      onClick={async () => {
        if (await copied(text)) toast(t('copied'));
        else toast(t('not_copied'), 'warn');
      }}
    >
      {children}
    </Button>
  );
}

/** Over plain HTTP from another host browsers have no clipboard, but still the old command. */
async function copied(text: string): Promise<boolean> {
  if (navigator.clipboard !== undefined) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand('copy');
  area.remove();

  return isDone;
}
