/** Looks at a node now, with calls of our own, and shows what was found. */

import { useCallback, useEffect, useState } from 'preact/hooks';
import { ApiFailure, send } from '../api.ts';
import { reader } from '../i18n.ts';
import { CheckReport } from '../nodes/check-report.tsx';
import type { ReportResource } from '../nodes/checks.ts';
import { Button } from '../parts/button.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Skeleton } from '../parts/layout.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { fleet } from '../words/fleet.ts';

const t = reader(fleet);

export function CheckDialog({ id, onClose }: { readonly id: number; readonly onClose: () => void }) {
  const [answer, setAnswer] = useState<ReportResource | ApiFailure>();
  const check = useCallback(() => {
    const abort = new AbortController();
    setAnswer(undefined);
    send<ReportResource>('POST', `/v1/nodes/${id}/check`, {}, abort.signal).then((found) => {
      if (!abort.signal.aborted) setAnswer(found);
    });

    return () => abort.abort();
  }, [id]);
  useEffect(check, [check]);

  return (
    <Dialog
      title={t('check_of', { node: String(id) })}
      isWide
      isReport
      onClose={onClose}
      actions={
        <Button icon="refresh" kind="primary" isBusy={answer === undefined} onClick={check}>
          {t('check_again')}
        </Button>
      }
    >
      <p class="muted">{t('check_lead')}</p>
      {answer === undefined ? <Skeleton lines={6} /> : null}
      {answer instanceof ApiFailure ? <FailureNotice failure={answer} /> : null}
      {answer === undefined || answer instanceof ApiFailure ? null : (
        <CheckReport report={answer} isStale={false} />
      )}
    </Dialog>
  );
}
