/** A dashboard that is told what it does not expect, and addresses nobody made for it. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import type { Appliance } from '../lab/appliance.ts';
import { LabBrowser, startDashboard, TOKENS, type View, whyNoBrowser } from '../lab/browser.ts';
import { sweep } from '../lab/processes.ts';
import { buildSdp } from '../lab/sdp.ts';

const reason = whyNoBrowser();
if (reason !== undefined) console.warn(`SKIP test/browser/odd-answers: ${reason}`);

const MARKUP = '<img/src=x/onerror=alert(1)>"\'&lt;script>';

describe.skipIf(reason !== undefined)('the dashboard', () => {
  let appliance: Appliance;
  let browser: LabBrowser;

  beforeAll(async () => {
    appliance = await startDashboard();
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

  async function enter(): Promise<View> {
    const view = await browser.open(appliance.url);
    await view.go('#/');
    await view.login(TOKENS.admin);

    return view;
  }

  test('says so where an answer is no JSON, and shows the page at the next one that is', async () => {
    const view = await enter();
    await view.page.route('**/v1/sets', (route) =>
      route.fulfill({ contentType: 'text/html', body: '<h1>Portal</h1>' }),
    );
    await view.go('#/sets');
    await view.page.getByText('Something else answered').waitFor();
    await view.page.unroute('**/v1/sets');
    await view.page.getByRole('button', { name: 'Try again' }).click();
    await view.page.getByText('Something else answered').waitFor({ state: 'detached' });
  });

  test('says that a page cannot be shown, and shows the others', async () => {
    const view = await enter();
    await view.page.route('**/v1/sets', (route) => route.fulfill({ json: { sets: [null] } }));
    await view.go('#/sets');
    await view.page.getByText('This page cannot be shown').waitFor();
    await view.page.getByRole('link', { name: 'Calls' }).click();
    await view.page.getByRole('heading', { level: 1, name: 'Calls' }).waitFor();
    // It complains on the console, and ought to.
    await view.close();
  });

  test.each([
    '%',
    '%00',
    'calls/%',
    'calls/%E0%A4%A',
    'calls/a%2Fb%3Fc%23d',
    '/////',
    `nodes/${'9'.repeat(4000)}`,
  ])('has something to say at #/%s', async (place) => {
    const view = await enter();
    view.allow(400, 404, 414, 431);
    await view.go(`#/${place}`);
    await view.page.locator('header.top').waitFor();
    expect((await view.page.locator('main').innerText()).trim()).not.toBe('');
  });

  test('goes by the clock of the service where that of the browser is wrong', async () => {
    const callId = 'wrong-clock@x';
    // Announced, as no node is there to take it.
    await appliance.api('POST', '/v1/media/auto', {
      'call-id': callId,
      'from-tag': 'a',
      method: 'INVITE',
      cseq: '1',
      dir: 'out',
    });
    const view = await browser.open(appliance.url);
    await view.page.clock.setFixedTime(Date.now() + 7 * 3_600_000);
    await view.go('#/calls?began=15m');
    await view.login(TOKENS.admin);
    const row = view.page.getByRole('row', { name: callId });
    expect(await row.locator('td[data-head=Lasted]').innerText()).toMatch(/^\d+ s$/);
  });

  test('shows markup and writing that turns around as what it is', async () => {
    const view = await enter();
    view.allow(404, 502, 503, 504);
    const ids = [`${MARKUP}@x`, 'a\u202Eevil@x'];
    for (const id of ids) {
      const offer = { 'call-id': id, 'from-tag': MARKUP, direction: 'out' };
      const sdp = buildSdp({ address: '192.0.2.1', port: 4000 }).replace('s=-', `s=${MARKUP}`);
      await appliance.api('POST', '/v1/media/offer', { ...offer, sdp }).catch(() => undefined);
    }
    await view.go(`#/calls/${encodeURIComponent(ids[0] ?? '')}`);
    await view.page.getByRole('heading', { level: 1, name: `${MARKUP}@x` }).waitFor();
    await view.page.getByText('No node took this call').waitFor();
    expect(await view.page.locator('.sdp-rows').innerText()).toContain(`s=${MARKUP}`);
    expect(await view.page.locator('main img').count()).toBe(0);
    await view.go(`#/calls/${encodeURIComponent(ids[1] ?? '')}`);
    await view.page.getByRole('heading', { level: 1, name: 'a\\u{202e}evil@x' }).waitFor();
  });
});
