/** The head of every page: where one can go, whether what is shown is live, and who is looking. */

import { language, reader, speak } from './i18n.ts';
import { liveState } from './live.ts';
import { SECTION_PATHS, SECTIONS, type Section } from './pages.tsx';
import { Button } from './parts/button.tsx';
import { Icon } from './parts/icon.tsx';
import { toast } from './parts/notice.tsx';
import { href } from './router.ts';
import { logout, session } from './session.ts';
import { switchTheme, theme } from './theme.ts';
import { shell } from './words/shell.ts';

const t = reader(shell);

export function Header({ section }: { readonly section: Section | undefined }) {
  return (
    <header class="top">
      <button type="button" class="skip" onClick={toContent}>
        {t('skip')}
      </button>
      <div class="top-row">
        <a class="brand" href="#/">
          <Logo />
          <span>rtp_cluster</span>
        </a>
        <nav class="sections" aria-label={t('main_navigation')}>
          {SECTIONS.map((name) => (
            <a
              key={name}
              href={href(SECTION_PATHS[name])}
              aria-current={name === section ? 'page' : undefined}
            >
              {t(name)}
            </a>
          ))}
        </nav>
        <div class="top-tools">
          <LiveMark />
          <Switches />
          <Person />
        </div>
      </div>
    </header>
  );
}

/** No link, as the address of a place is behind the same sign as an anchor. */
function toContent(): void {
  document.getElementById('main')?.focus();
}

export function Logo({ size = 22 }: { readonly size?: number }) {
  return (
    <svg class="logo" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect class="logo-ground" width="32" height="32" rx="7" />
      <path class="logo-line" d="M5 16h7l8-7h7M12 16l8 7h7" />
      <circle class="logo-dot" cx="12" cy="16" r="3" />
    </svg>
  );
}

/** Theme and language; also on the login page. */
export function Switches() {
  const isDark = theme.value === 'dark';

  return (
    <>
      <button
        type="button"
        class="button quiet language"
        aria-label={t('language_label')}
        title={t('language_label')}
        onClick={() => speak(language.peek() === 'zh' ? 'en' : 'zh')}
      >
        <Icon name="language" size={15} />
        <span>{t('language')}</span>
      </button>
      <Button
        kind="quiet"
        icon={isDark ? 'sun' : 'moon'}
        label={t(isDark ? 'theme_light' : 'theme_dark')}
        onClick={switchTheme}
      />
    </>
  );
}

function LiveMark() {
  const state = liveState.value;
  if (state === undefined) return null;

  return (
    <span
      class={`live ${state}`}
      role="status"
      title={state === 'lost' ? t('live_lost_hint') : t(`live_${state}`)}
    >
      <span class="live-dot" />
      <span class="live-text">{t(`live_${state}`)}</span>
    </span>
  );
}

function Person() {
  const { who = null, role = null, needs_token: needsToken = false } = session.value ?? {};
  if (who === null || role === null) return null;
  const text = needsToken ? t('signed_in_as', { who, role: t(`role_${role}`) }) : t('nobody');

  return (
    <>
      <span class="person" title={text}>
        {needsToken ? <span class="person-name">{who}</span> : null}
        {role === 'read' ? (
          <span class="role">
            <Icon name="lock" size={12} />
            {t('role_read')}
          </span>
        ) : null}
      </span>
      {needsToken ? <Button kind="quiet" icon="logout" label={t('logout')} onClick={leave} /> : null}
    </>
  );
}

async function leave(): Promise<void> {
  const failure = await logout();
  if (failure !== undefined) toast(failure.message || t('no_answer'), 'bad');
}
