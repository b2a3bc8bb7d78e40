/** The page of a node, with calls through real rtpengines: a drain by hand and what becomes of it. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { type Appliance, settled } from '../lab/appliance.ts';
import { LabBrowser, PHONE, startDashboard, TOKENS, type View, whyNoBrowser } from '../lab/browser.ts';
import { freeUdpPort } from '../lab/ports.ts';
import { poll, sweep } from '../lab/processes.ts';
import { type Rtpengine, startRtpengine, whyNoRtpengine } from '../lab/rtpengine.ts';
import { buildSdp } from '../lab/sdp.ts';

const reason = whyNoBrowser() ?? whyNoRtpengine();
if (reason !== undefined) console.warn(`SKIP test/browser/node: ${reason}`);

/** A page may be so far behind the service, ms: two rounds of the stream. */
const LIVE_MS = 4000;
const IDS = [1, 2] as const;

afterAll(sweep);

describe.skipIf(reason !== undefined)('the page of a node', () => {
  let appliance: Appliance;
  let browser: LabBrowser;
  const relays: Rtpengine[] = [];

  beforeAll(async () => {
    // A drain is over when offers that were under way would have brought their calls: sooner with a short budget.
    appliance = await startDashboard(['--media-budget-ms=500']);
    for (const id of IDS) {
      const ngPort = await freeUdpPort();
      const address = `127.0.90.${id}`;
      relays.push(
        await startRtpengine({ ngPort, address, portMin: 40_000 + id * 200, portMax: 40_199 + id * 200 }),
      );
      await appliance.api('POST', '/v1/nodes', {
        id,
        socket: `udp:127.0.0.1:${ngPort}`,
        inner_media_ip: address,
        out_media_ip: address,
      });
      await settled(appliance, id);
    }
    browser = await LabBrowser.start();
  });
  afterEach(async () => {
    expect(await browser.closeAll()).toEqual([]);
  });
  afterAll(async () => {
    await browser?.stop();
    await appliance?.stop();
    for (const relay of relays) await relay.stop();
  });

  async function enter(place: string, options = {}, token: string = TOKENS.admin): Promise<View> {
    const view = await browser.open(appliance.url, options);
    await view.go(place);
    await view.login(token);

    return view;
  }

  /** Begins a call; returns its node. */
  async function call(callId: string): Promise<number> {
    const sdp = buildSdp({ address: '10.1.1.1', port: 4000 });
    const offer = { 'call-id': callId, 'from-tag': 'f', direction: 'out', sdp };
    const answer = (await appliance.api('POST', '/v1/media/offer', offer)) as { node: number };

    return answer.node;
  }

  const badges = (view: View) => view.page.locator('.page-title .badges');

  test('drains it with a reason; its calls go on, new ones go elsewhere, and the end of it is told', async () => {
    const id = await call('drained@node');
    const other = IDS.find((one) => one !== id) ?? 0;
    const view = await enter(`#/nodes/${id}`);
    await badges(view).getByText('ready').waitFor();
    await view.page.getByRole('button', { name: 'Drain', exact: true }).click();
    const dialog = view.page.getByRole('dialog', { name: `Drain node ${id}` });
    await dialog.getByText('1 call on it go').waitFor();
    expect(await dialog.getByText('It is the last node').count()).toBe(0);
    expect(await view.barriers()).toEqual([]);
    await view.shot('node-drain-dialog-light');
    // Without a reason nothing is done.
    await dialog.getByRole('button', { name: 'Drain' }).click();
    await dialog.getByText('Say why').waitFor();
    await dialog.getByLabel('Reason').fill('kernel update');
    await view.page.keyboard.press('Enter');
    await badges(view).getByText('drain').waitFor();
    await view.page.getByText('Draining: 1 call left').waitFor();
    // The button that opened the dialog is another one now: whoever has no mouse goes on from the page.
    expect(await view.page.evaluate('document.activeElement.id')).toBe('main');
    await view.page.getByText('kernel update').first().waitFor();
    await view.shot('node-draining-light');
    const shown = (await appliance.api('GET', `/v1/nodes/${id}`)) as { order: Record<string, unknown> };
    expect(shown.order).toMatchObject({
      state: 'drain',
      by: 'the-admin',
      reason: 'kernel update',
      until: null,
    });

    for (let attempt = 0; attempt < 8; attempt++) expect(await call(`elsewhere-${attempt}@node`)).toBe(other);
    await appliance.api('POST', '/v1/media/delete', { 'call-id': 'drained@node' });
    await view.page.getByText('Drained: no call is left.').waitFor();
    // Events come by themselves.
    await view.page.getByText(/Node \d has no calls any more/).waitFor();
    expect(await view.barriers()).toEqual([]);

    // The other one is now the last.
    await view.go(`#/nodes/${other}`);
    await view.page.getByRole('button', { name: 'Maintenance' }).click();
    await view.page.getByText('It is the last node of set 0 that takes new calls').waitFor();
    await view.page.keyboard.press('Escape');
    await view.page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await view.page.evaluate('document.activeElement.textContent')).toBe('Maintenance');

    await view.go(`#/nodes/${id}`);
    await view.page.getByRole('button', { name: 'Ready' }).click();
    await view.page.getByRole('dialog').getByRole('button', { name: 'Ready' }).click();
    await badges(view).getByText('ready').waitFor();
    await view.page.getByRole('status').getByText(`Node ${id} takes calls again.`).waitFor();
  });

  test('puts it in maintenance until a time', async () => {
    const view = await enter('#/nodes/1');
    await view.page.getByRole('button', { name: 'Maintenance' }).click();
    const dialog = view.page.getByRole('dialog');
    await dialog.getByLabel('Reason').fill('disk');
    await dialog.getByLabel('Should be over after').selectOption('60');
    await dialog.getByRole('button', { name: 'Maintenance' }).click();
    await view.page.getByText('In maintenance: no new calls').waitFor();
    const { order } = (await appliance.api('GET', '/v1/nodes/1')) as {
      order: { state: string; until: number; at: number };
    };
    expect(order.state).toBe('maint');
    expect(Math.round((order.until - order.at) / 60_000)).toBe(60);
    await appliance.api('POST', '/v1/nodes/1/ready');
    await badges(view).getByText('ready').waitFor();
  });

  test('is checked on demand, with the addresses it gives out and RTP through it', async () => {
    const view = await enter('#/nodes/1');
    await view.page.getByRole('button', { name: 'Check now' }).click();
    const dialog = view.page.getByRole('dialog', { name: 'Check of node 1' });
    await dialog.locator('.nf-checks li').first().waitFor();
    expect(await dialog.locator('.nf-checks li.failed').count()).toBe(0);
    await dialog.getByText('127.0.90.1').first().waitFor();
    expect(await view.barriers()).toEqual([]);
    await view.shot('node-check-light');
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    await dialog.waitFor({ state: 'detached' });
  });

  test('shows who may only look what there is, and no button that works', async () => {
    const view = await enter('#/nodes/1', {}, TOKENS.read);
    await badges(view).getByText('ready').waitFor();
    await view.page.getByText('read only').waitFor();
    for (const name of ['Drain', 'Maintenance', 'Edit', 'Remove', 'Check now']) {
      const button = view.page.getByRole('button', { name, exact: true });
      expect([name, await button.getAttribute('aria-disabled')]).toEqual([name, 'true']);
      expect(await button.getAttribute('title')).toContain('role read');
      // A disabled button in reach of the keyboard must do nothing all the same.
      await button.press('Enter');
    }
    expect(await view.page.getByRole('dialog').count()).toBe(0);
    expect(await view.page.evaluate('location.hash')).toBe('#/nodes/1');
    expect(await view.barriers()).toEqual([]);
    await view.shot('node-read-light');
  });

  test.each([
    ['dark', 'en', 1440, 900],
    ['light', 'zh', 1440, 900],
    ['dark', 'en', PHONE.width, PHONE.height],
  ] as const)('has no barriers and fits its window, %s %s %d', async (theme, language, width, height) => {
    const view = await enter('#/nodes/2', { theme, language, width, height });
    await view.page.locator('.plot-box canvas').first().waitFor();
    expect(await view.barriers()).toEqual([]);
    expect(await view.page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    await view.shot(`node-${theme}-${language}-${width}`);
  });

  test('says of an id that is none, or was removed, that there is no such node', async () => {
    const view = await enter('');
    view.allow(404);
    await view.go('#/nodes/99');
    await view.page.getByText('There is no node 99').waitFor();
    await view.go('#/nodes/drop%20table');
    await view.page.getByText('There is no node drop table').waitFor();
  });

  test('shows within seconds that its relay was killed, and on the overview too', async () => {
    const view = await enter('#/nodes/2');
    const overview = await enter('');
    await badges(view).getByText('up').waitFor();
    await overview.page.getByText('Live', { exact: true }).waitFor();
    await relays[1]?.stop();
    await Promise.all([
      badges(view).getByText('down').waitFor(),
      overview.page.locator('.attention').getByText('Node 2 is down').waitFor(),
    ]);
    const shownAt = Date.now();
    const { events } = (await appliance.api('GET', '/v1/events?kind=node.down&node=2')) as {
      events: { at: number }[];
    };
    const delay = shownAt - (events[0]?.at ?? 0);
    console.log(`both pages show it ${delay} ms after the service knew`);
    expect(delay).toBeLessThan(LIVE_MS);
    await view.shot('node-down-light');
  });

  test('removes it after it was asked, and goes back to the overview', async () => {
    const view = await enter('#/nodes/2');
    view.allow(404);
    await view.page.getByRole('button', { name: 'Remove' }).click();
    const dialog = view.page.getByRole('dialog', { name: 'Remove node 2' });
    await dialog.getByRole('button', { name: 'Remove' }).click();
    await poll(
      async () => ((await view.page.evaluate('location.hash')) === '#/' ? true : undefined),
      () => 'the page does not leave the node',
    );
    const { nodes } = (await appliance.api('GET', '/v1/nodes')) as { nodes: { id: number }[] };
    expect(nodes.map(({ id }) => id)).toEqual([1]);
  });
});
