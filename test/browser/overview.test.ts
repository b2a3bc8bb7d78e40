/** The overview: an empty fleet, a small one that lives, and one of a thousand nodes. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { type Appliance, settled } from '../lab/appliance.ts';
import { LabBrowser, PHONE, startDashboard, TOKENS, type View, whyNoBrowser } from '../lab/browser.ts';
import { type Relay, startRelay } from '../lab/fake-relays.ts';
import { poll, sweep } from '../lab/processes.ts';
import { buildSdp } from '../lab/sdp.ts';

const reason = whyNoBrowser();
if (reason !== undefined) console.warn(`SKIP test/browser/overview: ${reason}`);

/** What is shown may be so old, ms: two rounds of the stream. */
const LIVE_MS = 4000;
const MANY = 1000;
const PAGE = 50;
/** Elements of the whole page, and bytes of what it is told each time, whatever the size of the fleet. */
const MAX_ELEMENTS = 3000;
const MAX_EVENT_BYTES = 100_000;

afterAll(sweep);

describe.skipIf(reason !== undefined)('the overview', () => {
  let browser: LabBrowser;

  beforeAll(async () => {
    browser = await LabBrowser.start();
  });
  afterEach(async () => {
    expect(await browser.closeAll()).toEqual([]);
  });
  afterAll(async () => {
    await browser?.stop();
  });

  async function enter(appliance: Appliance, place = '', options = {}): Promise<View> {
    const view = await browser.open(appliance.url, options);
    await view.go(place);
    await view.login(TOKENS.admin);

    return view;
  }

  describe('of no node', () => {
    let appliance: Appliance;

    beforeAll(async () => {
      appliance = await startDashboard();
    });
    afterAll(() => appliance?.stop());

    test('says how to add the first one', async () => {
      const view = await enter(appliance);
      await view.page.getByRole('heading', { name: 'No media relay yet' }).waitFor();
      await view.page.getByText('rtp-cluster node add').waitFor();
      expect(await view.barriers()).toEqual([]);
      await view.shot('overview-empty-light');
      await view.page.getByRole('link', { name: 'Add a node' }).click();
      expect(await view.page.evaluate('location.hash')).toBe('#/nodes/new');
    });

    test('is painted quickly, from files the browser keeps', async () => {
      const view = await enter(appliance);
      await view.page.reload();
      await view.page.locator('header.top').waitFor();
      const paint = (await view.page.evaluate(
        `new Promise((resolve) => new PerformanceObserver((list) => {
          const [first] = list.getEntriesByName('first-contentful-paint');
          if (first) resolve(first.startTime);
        }).observe({ type: 'paint', buffered: true }))`,
      )) as number;
      console.log(`first contentful paint: ${paint.toFixed(0)} ms`);
      const files = (await view.page.evaluate(
        `performance.getEntriesByType('resource').filter(({ name }) => name.includes('/ui/'))
          .map(({ name, transferSize }) => [name, transferSize])`,
      )) as [string, number][];
      expect(files.length).toBeGreaterThan(1);
      expect(files.filter(([, size]) => size > 0)).toEqual([]);
    });
  });

  describe('of a small fleet', () => {
    let appliance: Appliance;
    let relays: Relay[];

    beforeAll(async () => {
      appliance = await startDashboard();
      relays = [await startRelay(), await startRelay(), await startRelay()];
      for (const [index, { socket }] of relays.entries()) {
        await appliance.api('POST', '/v1/nodes', {
          id: index + 1,
          socket,
          set_id: index === 2 ? 1 : 0,
          inner_media_ip: `10.9.0.${index + 1}`,
          out_media_ip: `198.51.100.${index + 1}`,
        });
        await settled(appliance, index + 1);
      }
    });
    afterAll(async () => {
      await appliance?.stop();
      for (const relay of relays) await relay.kill();
    });

    const row = (view: View, id: number) =>
      view.page.locator('tbody tr').filter({ has: view.page.locator(`a[href="#/nodes/${id}"]`) });

    test('shows order and health of each node, apart', async () => {
      const view = await enter(appliance);
      await row(view, 1).waitFor();
      const cells = await row(view, 1).locator('td').allTextContents();
      expect(cells.slice(0, 3).map((text) => text.replace(/\d+ %$/, ''))).toEqual(['0', 'ready', 'up']);
      await view.page.getByText('3 of 3 up').or(view.page.getByText('2 of 2 up')).first().waitFor();
    });

    test('shows new calls without being asked again', async () => {
      const view = await enter(appliance);
      await row(view, 3).waitFor();
      const calls = row(view, 3).locator('td').nth(3);
      expect(await calls.textContent()).toBe('0');
      const startedAt = performance.now();
      await appliance.api('POST', '/v1/media/offer', {
        'call-id': 'live@overview',
        'from-tag': 'f',
        direction: 'out',
        set: 1,
        sdp: buildSdp({ address: '10.1.1.1', port: 4000 }),
      });
      await poll(
        async () => ((await calls.textContent()) === '1' ? true : undefined),
        () => 'the call is not shown',
        LIVE_MS,
      );
      console.log(`a call is shown after ${(performance.now() - startedAt).toFixed(0)} ms`);
    });

    test('narrows to a set, and back', async () => {
      const view = await enter(appliance);
      await row(view, 1).waitFor();
      await view.page.getByRole('button', { name: 'Set 1' }).click();
      await row(view, 1).waitFor({ state: 'detached' });
      await row(view, 3).waitFor();
      expect(await view.page.evaluate('location.hash')).toBe('#/?set=1');
      await view.page.getByLabel('Set', { exact: true }).selectOption('');
      await row(view, 1).waitFor();
    });

    test.each([
      ['light', 'en', 1440, 900],
      ['dark', 'en', 1440, 900],
      ['light', 'zh', 1440, 900],
      ['dark', 'zh', PHONE.width, PHONE.height],
    ] as const)('has no barriers and fits its window, %s %s %d', async (theme, language, width, height) => {
      const view = await enter(appliance, '', { theme, language, width, height });
      await row(view, 1).waitFor();
      await view.page.locator('.plot-box canvas').first().waitFor();
      expect(await view.barriers()).toEqual([]);
      expect(await view.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      await view.shot(`overview-${theme}-${language}-${width}`);
    });

    test('says the values of plots to those who do not see them', async () => {
      const view = await enter(appliance);
      const plot = view.page.getByRole('img', { name: /^Calls\. Calls: now / });
      await plot.waitFor();
      await view.page.getByRole('button', { name: 'Table Calls' }).click();
      await view.page.getByRole('region', { name: 'Calls as a table' }).waitFor();
      const legend = view.page.locator('.legend-entry').first();
      await legend.press('Enter');
      expect(await legend.getAttribute('aria-pressed')).toBe('false');
    });

    test('a relay that dies comes first, within seconds', async () => {
      const view = await enter(appliance);
      await row(view, 2).waitFor();
      await relays[1]?.kill();
      await view.page.locator('.attention').getByText('Node 2 is down').waitFor();
      const shownAt = Date.now();
      const { events } = (await appliance.api('GET', '/v1/events?kind=node.down')) as {
        events: { at: number }[];
      };
      const delay = shownAt - (events[0]?.at ?? 0);
      console.log(`a dead relay is shown ${delay} ms after the service knew`);
      expect(delay).toBeLessThan(LIVE_MS);
      await view.page.locator('tbody tr.bad').first().waitFor();
      const first = view.page.locator('section[aria-label="Nodes"] tbody tr').first();
      expect(await first.textContent()).toContain('down');
      expect(await view.barriers()).toEqual([]);
      await view.shot('overview-down-light');
    });
  });

  describe('of a service that is killed', () => {
    test('says so, and goes on by itself when it is back, in the same session', async () => {
      const appliance = await startDashboard();
      const { port } = new URL(appliance.url);
      const view = await enter(appliance);
      await view.page.getByText('Live', { exact: true }).waitFor();
      view.allowOutage();
      await appliance.kill();
      await view.page.getByText('No connection').waitFor();
      await view.page.getByText('The service does not answer').waitFor();
      const again = await startDashboard([], { port: Number(port), database: appliance.database });
      await view.page.getByText('Live', { exact: true }).waitFor();
      await view.page.getByText('The service does not answer').waitFor({ state: 'detached' });
      expect(await view.page.getByLabel('Token').count()).toBe(0);
      await view.close();
      await again.stop();
    });
  });

  describe(`of ${MANY} nodes`, () => {
    let appliance: Appliance;

    beforeAll(async () => {
      appliance = await startDashboard();
      const rows = Array.from({ length: MANY }, (_, index) => ({
        row: index + 1,
        id: index + 1,
        // Nobody listens there (TEST-NET-1), and nobody says so.
        socket: `udp:192.0.2.${1 + (index % 250)}:${20_000 + index}`,
        set_id: index % 4,
        inner_media_ip: '10.9.0.1',
        out_media_ip: '198.51.100.1',
        tags: index === 776 ? ['gold'] : [],
      }));
      await appliance.api('POST', '/v1/nodes/import', { rows });
    });
    afterAll(() => appliance?.stop());

    test('has a page of them, which the service searches and sorts', async () => {
      const view = await enter(appliance, '#/?sort=id');
      const rows = view.page.locator('section[aria-label="Nodes"] tbody tr');
      await view.page.getByText(`1–${PAGE} of 1,000`).waitFor();
      expect(await rows.count()).toBe(PAGE);
      await view.page.getByRole('button', { name: 'Next page' }).click();
      await view.page.getByText(`${PAGE + 1}–${2 * PAGE} of 1,000`).waitFor();
      await rows.first().getByText('51', { exact: true }).waitFor();
      await view.page.getByLabel('Search nodes').fill('gold');
      await poll(
        async () => ((await rows.count()) === 1 ? true : undefined),
        () => 'the search finds another number of nodes',
      );
      expect(await rows.first().textContent()).toStartWith('777');
      expect(await view.page.evaluate('location.hash')).toBe('#/?sort=id&search=gold');
    });

    test('is no larger than that of a hundred', async () => {
      const view = await enter(appliance);
      await view.page.getByText(`1–${PAGE} of 1,000`).waitFor();
      const elements = (await view.page.evaluate('document.querySelectorAll("*").length')) as number;
      const bytes = await largestMessage(appliance.url);
      const scrolled = (await view.page.evaluate(
        `new Promise((resolve) => {
          const startedAt = performance.now();
          let frames = 0;
          const step = () => {
            scrollBy(0, 40);
            if (++frames < 60) requestAnimationFrame(step);
            else resolve((performance.now() - startedAt) / frames);
          };
          requestAnimationFrame(step);
        })`,
      )) as number;
      console.log(
        `${elements} elements, ${bytes} bytes at most in a message, ${scrolled.toFixed(1)} ms a frame while scrolling`,
      );
      expect(elements).toBeLessThan(MAX_ELEMENTS);
      expect(bytes).toBeLessThan(MAX_EVENT_BYTES);
    });
  });
});

/** Bytes of the largest message of the first seconds of the stream of a page. */
async function largestMessage(url: string): Promise<number> {
  const abort = new AbortController();
  const response = await fetch(`${url}/v1/live?limit=${PAGE}&sort=health`, {
    headers: { authorization: `Bearer ${TOKENS.read}` },
    signal: abort.signal,
  });
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.split('event: nodes').length > 2) break;
  }
  abort.abort();

  return Math.max(...text.split('\n\n').map((message) => Buffer.byteLength(message)));
}
