/** The page of events: live, filtered, paused, and older ones. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import type { Appliance } from '../lab/appliance.ts';
import { LabBrowser, PHONE, startDashboard, TOKENS, type View, whyNoBrowser } from '../lab/browser.ts';
import { poll, sweep } from '../lab/processes.ts';

const reason = whyNoBrowser();
if (reason !== undefined) console.warn(`SKIP test/browser/events: ${reason}`);

/** More than a page of them. */
const CHANGES = 40;

describe.skipIf(reason !== undefined)('the page of events', () => {
  let appliance: Appliance;
  let browser: LabBrowser;

  beforeAll(async () => {
    appliance = await startDashboard();
    await appliance.api('POST', '/v1/nodes', node(1));
    for (let weight = 1; weight <= CHANGES; weight++) await appliance.api('PUT', '/v1/nodes/1', { weight });
    browser = await LabBrowser.start();
  });
  afterEach(async () => {
    expect(await browser.closeAll()).toEqual([]);
  });
  afterAll(async () => {
    await browser?.stop();
    await appliance?.stop();
    sweep();
  });

  async function enter(place: string, options = {}): Promise<View> {
    const view = await browser.open(appliance.url, options);
    await view.go(place);
    await view.login(TOKENS.read);
    await view.page.locator('.event').first().waitFor();

    return view;
  }

  const kindsOf = (view: View) => view.page.locator('.event-more > code').allTextContents();

  test('shows what happens when it happens, as a sentence with the way to the node', async () => {
    const view = await enter('#/events');
    await appliance.api('POST', '/v1/nodes', node(2));
    const entry = view.page
      .locator('.event')
      .filter({ hasText: 'Node 2 was added: udp:192.0.2.2:2223, set 0.' });
    await entry.waitFor();
    await entry.getByText('Details').click();
    await entry.getByText('set_id').waitFor();
    expect(await entry.locator('time').getAttribute('title')).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(await view.barriers()).toEqual([]);
    view.allow(404);
    await entry.getByRole('link', { name: 'Node 2' }).click();
    await view.page.getByRole('heading', { name: 'Node 2' }).waitFor();
  });

  test('filters by kind and node, and the address says so', async () => {
    const view = await enter('#/events?node=1');
    await view.page.getByLabel('Kind').selectOption('node.added');
    await poll(
      async () => ((await kindsOf(view)).length === 1 ? true : undefined),
      () => 'the filter is not taken',
    );
    expect(await kindsOf(view)).toEqual(['node.added']);
    expect(await view.page.evaluate('location.hash')).toBe('#/events?node=1&kind=node.added');
    await view.page.getByLabel('Node', { exact: true }).fill('77');
    await view.page.getByText('No events.').waitFor();
  });

  test('shows a severe one as such', async () => {
    const view = await enter('#/events?kind=node.*');
    await view.page.locator('.event.bad').getByText('Severe').first().waitFor();
    await view.page.locator('.event.bad').getByText('does not answer').first().waitFor();
  });

  test('stands still while it is paused, and then shows what it missed', async () => {
    const view = await enter('#/events?kind=node.added');
    await view.page.getByRole('button', { name: 'Pause' }).click();
    await view.page.getByText('Paused.').waitFor();
    const before = await kindsOf(view);
    await appliance.api('POST', '/v1/nodes', node(3));
    await view.page.waitForTimeout(500);
    expect(await kindsOf(view)).toEqual(before);
    await view.page.getByRole('button', { name: 'Go on' }).click();
    await view.page.getByText('Node 3 was added').waitFor();
  });

  test('has older pages, to the end', async () => {
    const view = await enter('#/events');
    const first = (await kindsOf(view)).length;
    const older = view.page.getByRole('button', { name: 'Older events' });
    await older.click();
    await poll(
      async () => ((await kindsOf(view)).length > first ? true : undefined),
      () => 'no older events come',
    );
    while ((await older.count()) > 0) await older.click();
    await view.page.getByText('That is all that is kept.').waitFor();
    await view.page.getByText('Node 1 was added').waitFor();
  });

  test('shows what others wrote as text, whatever it looks like', async () => {
    const text = '<img src=x onerror="document.title=1"><script>alert(1)</script>';
    await appliance.api('POST', '/v1/nodes/1/maint', { reason: text, by: '<b>eve</b>' });
    const view = await enter('#/events?kind=node.maint');
    const entry = view.page.locator('.event').first();
    await entry.getByText(text).first().waitFor();
    await entry.getByText('<b>eve</b> put node 1 in maintenance').waitFor();
    expect(await entry.locator('img, script, b').count()).toBe(0);
    await view.go('#/nodes/1');
    await view.page.locator('q').getByText(text).waitFor();
    expect(await view.page.title()).toBe('Node 1 · rtp_cluster');
    await appliance.api('POST', '/v1/nodes/1/ready');
  });

  test('leaves out events of others for a call', async () => {
    const view = await browser.open(appliance.url);
    await view.go('#/events?call=nobody%40home');
    await view.login(TOKENS.read);
    await view.page.getByText('No events.').waitFor();
    expect(await view.page.getByLabel('Call-ID').inputValue()).toBe('nobody@home');
  });

  test.each([
    ['light', 'en', 1440, 900],
    ['dark', 'zh', 1440, 900],
    ['light', 'zh', PHONE.width, PHONE.height],
  ] as const)('has no barriers and fits its window, %s %s %d', async (theme, language, width, height) => {
    const view = await enter('#/events', { theme, language, width, height });
    expect(await view.barriers()).toEqual([]);
    expect(await view.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    await view.shot(`events-${theme}-${language}-${width}`);
  });
});

/** Nobody is there (TEST-NET-1). */
function node(id: number) {
  return { id, socket: `udp:192.0.2.${id}:2223`, inner_media_ip: '10.9.0.1', out_media_ip: '198.51.100.1' };
}
