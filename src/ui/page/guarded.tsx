/** A page that cannot be drawn says so, and takes nothing else along. */

import type { ComponentChildren } from 'preact';
import { useErrorBoundary } from 'preact/hooks';
import { reader } from './i18n.ts';
import { Button } from './parts/button.tsx';
import { Empty } from './parts/layout.tsx';
import { shell } from './words/shell.ts';

const t = reader(shell);

export function Guarded({ children }: { readonly children: ComponentChildren }) {
  const [error] = useErrorBoundary((thrown) => console.error(thrown));
  if (error === undefined) return <>{children}</>;

  return (
    <Empty
      isPage
      icon="warn"
      title={t('broken')}
      action={
        <Button icon="refresh" onClick={() => location.reload()}>
          {t('reload')}
        </Button>
      }
    >
      <p>{t('broken_hint')}</p>
      <code>{String(error)}</code>
    </Empty>
  );
}
