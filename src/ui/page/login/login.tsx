/** Where a token is asked for. It goes to the service once, and stays nowhere in the page. */

import { useEffect, useState } from 'preact/hooks';
import type { ApiFailure } from '../api.ts';
import { duration } from '../format.ts';
import { Logo, Switches } from '../header.tsx';
import { reader } from '../i18n.ts';
import { Button } from '../parts/button.tsx';
import { TextField } from '../parts/field.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { login } from '../session.ts';
import { shell } from '../words/shell.ts';

const t = reader(shell);

/** Names under which a browser reaches its own host. */
const LOOPBACK = /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/;

export function LoginPage() {
  const [token, setToken] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [isMissing, setMissing] = useState(false);
  const [failure, setFailure] = useState<ApiFailure>();
  const wait = useWait(failure);
  const submit = async (): Promise<void> => {
    setMissing(token.trim() === '');
    if (token.trim() === '' || isBusy || wait > 0) return;
    setBusy(true);
    setFailure(undefined);
    const refusal = await login(token.trim());
    // Once it is good this page is gone.
    if (refusal === undefined) return;
    setBusy(false);
    setFailure(refusal);
  };

  return (
    <main class="login" id="main">
      <div class="login-tools">
        <Switches />
      </div>
      <form
        class="panel login-box"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <h1>
          <Logo size={30} />
          rtp_cluster
        </h1>
        <p class="muted">{t('login_lead')}</p>
        {location.protocol === 'http:' && !LOOPBACK.test(location.hostname) ? (
          <Notice tone="warn" title={t('plain_http', { host: location.host })}>
            {t('plain_http_hint')}
          </Notice>
        ) : null}
        <TextField
          label={t('token')}
          hint={t('token_hint')}
          type="password"
          autoComplete="current-password"
          value={token}
          error={isMissing ? t('token_missing') : undefined}
          isFirst
          isRequired
          onInput={(value) => {
            setToken(value);
            setMissing(false);
          }}
        />
        <Refusal failure={failure} wait={wait} />
        <Button kind="primary" type="submit" isBusy={isBusy || wait > 0}>
          {t('login')}
        </Button>
      </form>
    </main>
  );
}

function Refusal({ failure, wait }: { readonly failure: ApiFailure | undefined; readonly wait: number }) {
  switch (failure?.code) {
    case 'RTPC_UNAUTHORIZED':
      return (
        <Notice tone="bad" title={t('token_wrong')} isUrgent>
          {t('token_wrong_hint')}
        </Notice>
      );
    case 'RTPC_FORBIDDEN':
      return <Notice tone="bad" title={t('token_role')} isUrgent />;
    case 'RTPC_TOO_MANY_TOKENS':
      return (
        <Notice tone="bad" title={t('blocked')} isUrgent>
          {wait > 0 ? t('blocked_wait', { wait: duration(wait) }) : t('blocked_over')}
        </Notice>
      );
    default:
      return <FailureNotice failure={failure} />;
  }
}

/** Seconds to wait after a failure, counted down. */
function useWait(failure: ApiFailure | undefined): number {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    const until = Date.now() + (failure?.status === 429 ? (failure.retryAfterS ?? 0) : 0) * 1000;
    const tick = (): void => setLeft(Math.max(0, Math.ceil((until - Date.now()) / 1000)));
    tick();
    const timer = setInterval(tick, 500);

    return () => clearInterval(timer);
  }, [failure]);

  return left;
}
