/**
 * A real Chromium for tests of the dashboard. Whatever a page complains of fails the test: errors on its console, what its
 * policy forbids, and any request to somebody else than the appliance.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { type Appliance, type ApplianceOptions, ensureBinary, startAppliance } from './appliance.ts';
import { temporaryFolder } from './processes.ts';

const ROOT = join(import.meta.dir, '..', '..');
/** Where screenshots go. */
export const SCREENSHOTS = join(ROOT, 'dist', 'screenshots');
/** Longest wait for something to appear, ms. */
const WAIT_MS = 15_000;
const AXE = join(ROOT, 'node_modules', 'axe-core', 'axe.min.js');
/** Another name for this host, which is no name of a loopback. */
export const OTHER_HOST = 'cluster.test';
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  `--host-resolver-rules=MAP ${OTHER_HOST} 127.0.0.1`,
];
/** What the browser says by itself of an answer that is no success; the API says as much on purpose. */
const REFUSED_LINE = /^Failed to load resource: the server responded with a status of (\d+)/;

const LAB_TOKEN = 'token-of-the-lab-0123456789';
/** One token for each role. */
export const TOKENS = {
  admin: 'token-of-an-admin-0123456789',
  read: 'token-of-a-reader-0123456789',
  call: 'token-of-a-proxy-0123456789',
} as const;

/**
 * The compiled binary with its dashboard, asking for tokens; `api` has one of its own. RTPC_BINARY names another binary than that
 * of the build.
 */
export async function startDashboard(
  flags: readonly string[] = [],
  options: Pick<ApplianceOptions, 'port' | 'database'> = {},
): Promise<Appliance> {
  const file = join(temporaryFolder(), 'tokens');
  const lines = Object.entries(TOKENS).map(([role, token]) => `${role} the-${role} ${token}`);
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  const binary = Bun.env.RTPC_BINARY ?? (await ensureBinary());

  const all = [`--http-token-file=${file}`, ...flags];

  return startAppliance({ binary, token: LAB_TOKEN, flags: all, ...options });
}

/** The same of no answer at all. */
const NO_ANSWER_LINE = /^Failed to load resource: net::ERR_(?:CONNECTION|INCOMPLETE|EMPTY)/;

export const PHONE = { width: 360, height: 780 } as const;

export interface ViewOptions {
  readonly theme?: 'light' | 'dark';
  readonly language?: 'en' | 'zh';
  readonly width?: number;
  readonly height?: number;
}

/** One window with a session of its own. */
export interface View {
  readonly page: Page;
  /** Goes to a place of the page, such as `#/events`, and waits until it has its head. */
  go(place: string): Promise<void>;
  /** Enters a token where it is asked for, and waits for the overview. */
  login(token: string): Promise<void>;
  /** Allows answers of these statuses: the test wants them. */
  allow(...statuses: number[]): void;
  /** Allows that the service does not answer, from now on. */
  allowOutage(): void;
  /** A screenshot of the whole page, `dist/screenshots/NAME.png`. */
  shot(name: string): Promise<void>;
  /** Findings of axe that are serious or critical; none is well. */
  barriers(): Promise<readonly string[]>;
  /** What the page complained of so far; none is well. */
  complaints(): readonly string[];
  close(): Promise<void>;
}

/** Where Chromium is, or null. */
function findChromium(): string | null {
  return Bun.which('chromium') ?? Bun.which('chromium-browser') ?? Bun.which('google-chrome');
}

/**
 * Why tests with a browser cannot run, or undefined if they can. With RTPC_REQUIRE_ALL=1 a missing browser is a failed test instead
 * of a skipped one, so this says undefined then.
 */
export function whyNoBrowser(): string | undefined {
  if (findChromium() !== null || Bun.env.RTPC_REQUIRE_ALL === '1') return undefined;

  return 'Chromium is not installed (Debian package chromium)';
}

export class LabBrowser {
  readonly #browser: Browser;
  readonly #views = new Set<View>();

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Rejects if there is no Chromium, or if it does not start. */
  static async start(): Promise<LabBrowser> {
    const executablePath = findChromium();
    if (executablePath === null) throw new Error('Chromium is not installed: apt-get install chromium');

    return new LabBrowser(await chromium.launch({ executablePath, args: FLAGS }));
  }

  /** @param url of the appliance: anything else is somebody else */
  async open(url: string, options: ViewOptions = {}): Promise<View> {
    const { theme = 'light', language = 'en', width = 1440, height = 900 } = options;
    const context = await this.#browser.newContext({
      colorScheme: theme,
      locale: language === 'zh' ? 'zh-CN' : 'en-GB',
      viewport: { width, height },
      deviceScaleFactor: width < 500 ? 2 : 1,
      timezoneId: 'Europe/Berlin',
    });
    context.setDefaultTimeout(WAIT_MS);
    const view = await viewOf(context, url, () => this.#views.delete(view));
    this.#views.add(view);

    return view;
  }

  /** Closes all views; the browser stays. Returns what their pages complained of, which ought to be nothing. */
  async closeAll(): Promise<readonly string[]> {
    const complaints = [...this.#views].flatMap((view) => view.complaints());
    await Promise.all([...this.#views].map((view) => view.close()));

    return complaints;
  }

  async stop(): Promise<void> {
    await this.#browser.close();
  }
}

async function viewOf(context: BrowserContext, url: string, onClose: () => void): Promise<View> {
  const page = await context.newPage();
  const complaints: string[] = [];
  const allowed = new Set<number>();
  let isOutage = false;
  page.on('console', (message) => {
    const text = message.text();
    const [, status] = REFUSED_LINE.exec(text) ?? [];
    const isAllowed = status !== undefined && allowed.has(Number(status));
    if (isOutage && NO_ANSWER_LINE.test(text)) return;
    if (message.type() === 'error' && !isAllowed)
      complaints.push(`console: ${text} (${message.location().url})`);
  });
  page.on('pageerror', (error) => complaints.push(`error: ${error.stack ?? error.message}`));
  context.on('request', (request) => {
    const to = new URL(request.url());
    if (to.protocol !== 'data:' && to.origin !== url)
      complaints.push(`request to another origin: ${request.url()}`);
  });

  return {
    page,
    async go(place) {
      await page.goto(`${url}/${place}`);
      await page.locator('h1').first().waitFor();
    },
    async login(token) {
      await page.getByLabel(/^(?:Token|令牌)$/).fill(token);
      await page.keyboard.press('Enter');
      await page.locator('header.top').waitFor();
    },
    allow: (...statuses) => {
      for (const status of statuses) allowed.add(status);
    },
    allowOutage: () => {
      isOutage = true;
    },
    async shot(name) {
      mkdirSync(SCREENSHOTS, { recursive: true });
      // The ground of a dialog is as large as the window.
      const fullPage = (await page.locator('dialog[open]').count()) === 0;
      await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage, animations: 'disabled' });
    },
    async barriers() {
      // By the debugger, as the policy of the page lets no foreign script in.
      await page.evaluate(readFileSync(AXE, 'utf8'));
      const findings: unknown = await page.evaluate(
        `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
          .filter(({ impact }) => impact === 'serious' || impact === 'critical')
          .map(({ id, help, nodes }) => id + ': ' + help + ': ' + nodes.slice(0, 5).map((node) =>
            node.target.join(' ') + ' (' + (node.any[0]?.message ?? '') + ')').join(', ')))`,
      );

      return findings as string[];
    },
    complaints: () => complaints,
    async close() {
      onClose();
      await context.close();
    },
  };
}
