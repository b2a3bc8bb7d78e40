/** The dashboard: what the browser runs first. */

import { effect } from '@preact/signals';
import { render } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Guarded } from './guarded.tsx';
import { Header } from './header.tsx';
import { locale, reader } from './i18n.ts';
import { LoginPage } from './login/login.tsx';
import { pageAt } from './pages.tsx';
import { Skeleton } from './parts/layout.tsx';
import { FailureNotice, Toasts } from './parts/notice.tsx';
import { place } from './router.ts';
import { isLoggedIn, isSuspended, loadSession, session, sessionFailure } from './session.ts';
import './theme.ts';
import { shell } from './words/shell.ts';

const t = reader(shell);

function App() {
  if (session.value === undefined) {
    return (
      <main class="content" id="main">
        {sessionFailure.value === undefined ? <Skeleton /> : <FailureNotice failure={sessionFailure.value} />}
      </main>
    );
  }
  const isIn = isLoggedIn.value;

  return (
    <>
      {isIn || isSuspended.value ? (
        <div hidden={!isIn}>
          <Shell />
        </div>
      ) : null}
      {isIn ? null : <LoginPage />}
    </>
  );
}

function Shell() {
  const { section, title, content } = pageAt(place.value);
  const main = useRef<HTMLElement>(null);
  const path = place.value.path.join('/');
  const first = useRef(path);
  useEffect(() => {
    document.title = `${title} · rtp_cluster`;
  }, [title]);
  // Another page begins at its top, and a screen reader with it.
  useEffect(() => {
    if (first.current === path) return;
    first.current = path;
    scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [path]);

  return (
    <>
      <Header section={section} />
      <main class="content" id="main" ref={main} tabIndex={-1}>
        <Guarded key={path}>{content}</Guarded>
      </main>
      <footer class="foot">
        rtp_cluster {session.value?.version} <a href="/openapi">{t('api')}</a>
      </footer>
      <Toasts />
    </>
  );
}

effect(() => {
  document.documentElement.lang = locale.value;
});
effect(() => {
  if (!isLoggedIn.value) document.title = 'rtp_cluster';
});
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
loadSession();
