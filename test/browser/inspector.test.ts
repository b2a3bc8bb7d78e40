/** Finding a call and why it has no audio, with a call through a real rtpengine. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { LabBrowser, PHONE, TOKENS, type View, type ViewOptions, whyNoBrowser } from '../lab/browser.ts';
import { poll, sweep } from '../lab/processes.ts';
import { whyNoRtpengine } from '../lab/rtpengine.ts';
import { buildSdp } from '../lab/sdp.ts';
import { type Stage, type StagedCall, startStage } from './inspector-stage.ts';

const reason = whyNoBrowser() ?? whyNoRtpengine();
if (reason !== undefined) console.warn(`SKIP test/browser/inspector: ${reason}`);

/** A call must be a few seconds old before its silence means anything; then a reading has to come, ms. */
const HINT_MS = 20_000;
const ONE_WAY = 'one-way-7f3a@pbx.example.com';

afterAll(sweep);

describe.skipIf(reason !== undefined)('the calls pages', () => {
  let stage: Stage;
  let browser: LabBrowser;
  let call: StagedCall;
  let quiet: () => Promise<void>;

  beforeAll(async () => {
    stage = await startStage();
    browser = await LabBrowser.start();
    call = await stage.call(ONE_WAY);
    quiet = call.talk(call.caller);
  });
  afterEach(async () => {
    expect(await browser.closeAll()).toEqual([]);
  });
  afterAll(async () => {
    await quiet?.();
    await browser?.stop();
    await stage?.stop();
  });

  async function enter(place: string, options: ViewOptions = {}): Promise<View> {
    const view = await browser.open(stage.appliance.url, options);
    await view.go(place);
    await view.login(TOKENS.admin);

    return view;
  }

  const inspect = (callId: string) => `#/calls/${encodeURIComponent(callId)}`;
  const oneWay = (view: View) => view.page.getByText('One-way audio: nothing comes from the callee');
  /** Packets of a party, as the table has them. */
  const packets = async (view: View, party: string): Promise<number> => {
    const row = view.page.getByRole('row', { name: party });

    return Number((await row.locator('td[data-head=Packets]').innerText()).replaceAll(',', ''));
  };

  test('find a call by a part of its Call-ID, with an address of their own for the search', async () => {
    const view = await enter('#/calls');
    await view.page.getByText('live call').waitFor();
    await view.page.getByLabel('Call-ID or a part of it').fill('nobody-has-this');
    await view.page.keyboard.press('Enter');
    view.allow(404);
    await view.page.getByText('No call found').waitFor();
    await view.page.getByLabel('Call-ID or a part of it').fill('7f3a@pbx');
    await view.page.getByRole('button', { name: 'Find calls' }).click();
    await view.page.getByRole('link', { name: ONE_WAY }).waitFor();
    expect(view.page.url()).toEndWith('#/calls?search=7f3a%40pbx');
    await view.page.getByLabel('State').selectOption('Ended');
    await view.page.getByText('No call found').waitFor();
    await view.page.getByLabel('State').selectOption('Live and ended');
    await view.page.getByRole('link', { name: ONE_WAY }).click();
    await view.page.getByRole('heading', { level: 1, name: ONE_WAY }).waitFor();
  });

  test('say who is not heard, count what comes, and take it back when both are', async () => {
    const view = await enter(inspect(ONE_WAY));
    await oneWay(view).waitFor({ timeout: HINT_MS });
    expect(await view.page.getByText('was told to send to').innerText()).toContain(stage.outer);
    const media = view.page.locator('.media');
    await media.locator('.flow-way.forth').getByText(' packets/s').waitFor();
    expect(await media.locator('.flow-way.reverse').innerText()).toContain('nothing');
    expect(await packets(view, 'Callee')).toBe(0);
    const before = await packets(view, 'Caller');
    await poll(
      async () => ((await packets(view, 'Caller')) > before ? true : undefined),
      () => 'the packets of the caller do not grow',
    );
    const facts = view.page.locator('.call-facts');
    const lasted = await facts.innerText();
    await poll(
      async () => ((await facts.innerText()) === lasted ? undefined : true),
      () => 'the time the call has lasted stands still',
    );
    const stop = call.talk(call.callee);
    await oneWay(view).waitFor({ state: 'detached', timeout: HINT_MS });
    expect(await packets(view, 'Callee')).toBeGreaterThan(0);
    await media.locator('.flow-way.reverse.flowing').waitFor();
    await stop();
  });

  test('draw each request from the proxy to the relay and back, and show what a step did to the SDP', async () => {
    const view = await enter(inspect(ONE_WAY));
    const ladder = view.page.getByRole('group', { name: /^Requests of the call/ });
    await ladder.waitFor();
    const arrows = await ladder
      .getByRole('button')
      .evaluateAll((all) => all.map((arrow) => arrow.getAttribute('aria-label') ?? ''));
    expect(arrows.map((label) => label.replace(/ [\d.]+ ms|, .*/g, ''))).toEqual([
      'INVITE: SIP proxy to rtp_cluster',
      'offer: rtp_cluster to Node 1',
      'ok: Node 1 to rtp_cluster',
      'ok: rtp_cluster to SIP proxy',
      '200 INVITE: SIP proxy to rtp_cluster',
      'answer: rtp_cluster to Node 1',
      'ok: Node 1 to rtp_cluster',
      'ok: rtp_cluster to SIP proxy',
    ]);
    const marks = (side: 'left' | 'right') =>
      view.page.locator(`.sdp-row.changed .${side} mark`).allInnerTexts();
    const { address, port } = call.caller.local;
    expect(await marks('left')).toContain(address);
    expect(await marks('left')).toContain(String(port));
    expect(await marks('right')).toContain(stage.outer);
    await view.page.getByText(`Address ${address} became ${stage.outer}`).first().waitFor();
    expect(await view.page.locator('.call-addresses').innerText()).toContain('outer read');
    // The node was chosen in the offer; the answer goes where the call is.
    await view.page.getByRole('heading', { name: 'Why this node' }).waitFor();
    await ladder.getByRole('button', { name: /^200 INVITE: SIP proxy/ }).focus();
    await view.page.keyboard.press('Enter');
    await view.page.getByText(`Address ${call.callee.local.address} became ${stage.inner}`).first().waitFor();
    expect(view.page.url()).toEndWith('?step=2');
    await view.page.keyboard.press('Home');
    await view.page.keyboard.press(' ');
    await view.page.getByRole('heading', { name: 'Why this node' }).waitFor();
  });

  test('show the relay that was tried in vain, by shape as well as by colour', async () => {
    const callId = 'tried-twice-90b1@pbx.example.com';
    await (await stage.addNode(2))();
    const second = await stage.call(callId);
    const stop = second.talk(second.caller);
    const view = await enter(inspect(callId));
    const failed = view.page.getByRole('button', {
      name: /^nobody listens.*: rtp_cluster to Node 2, no answer/,
    });
    await failed.locator('.ladder-cross').waitFor();
    await view.page
      .getByRole('button', { name: /^ok.*: Node 1 to rtp_cluster/ })
      .first()
      .waitFor();
    const why = view.page.locator('.placement');
    expect(await why.locator('tr.failed').innerText()).toMatch(/Node 2[\s\S]*nobody listens/);
    expect(await why.locator('tr.chosen').innerText()).toMatch(/Node 1[\s\S]*ok/);
    await oneWay(view).waitFor({ timeout: HINT_MS });
    await view.page.locator('.flow-way.forth.flowing').waitFor();
    await view.shot('inspector-retried-light');
    await stop();
  });

  test('say first that the relay of a call does not answer, and show no figures of before as new', async () => {
    const callId = 'relay-gone-55d2@pbx.example.com';
    const endRelay = await stage.addNode(3);
    const third = await stage.call(callId);
    const stops = [third.talk(third.caller), third.talk(third.callee)];
    const view = await enter(inspect(callId));
    await view.page.locator('.flow-way.flowing').first().waitFor({ timeout: HINT_MS });
    view.allow(502, 504);
    await endRelay();
    await view.page.getByText('Node 3, which has this call, cannot be asked').waitFor({ timeout: HINT_MS });
    await view.page.locator('.media').getByText('As it was at').waitFor();
    expect(await view.page.locator('.flow-way.flowing').count()).toBe(0);
    for (const stop of stops) await stop();
  });

  test('lead from a search among live calls to one among all', async () => {
    const callId = 'ended-search-3c1f@pbx.example.com';
    await (await stage.call(callId)).hangUp();
    const view = await enter('#/calls?search=search-3c1f');
    view.allow(404);
    await view.page.getByRole('link', { name: 'Look in live and ended calls' }).click();
    await view.page.getByRole('link', { name: callId }).waitFor();
  });

  test('show the same as a list', async () => {
    const view = await enter(inspect(ONE_WAY));
    await view.page.getByRole('button', { name: 'List', exact: true }).click();
    await view.page.getByRole('button', { name: '200 INVITE', exact: true }).click();
    await view.page.getByRole('heading', { name: '200 INVITE' }).waitFor();
  });

  test('show why no node took a call, found by its exact Call-ID', async () => {
    const callId = 'nobody-took-me@pbx.example.com';
    const body = {
      'call-id': callId,
      'from-tag': 'x',
      direction: 'out',
      set: 77,
      sdp: buildSdp(call.caller.local),
    };
    await expect(stage.appliance.api('POST', '/v1/media/offer', body)).rejects.toThrow('RTPC_NO_NODE');
    const view = await enter(`#/calls?search=${encodeURIComponent(callId)}`);
    await view.page.getByRole('link', { name: 'Show what was done' }).click();
    await view.page.getByText('No node took this call').waitFor();
    await view.page.locator('.ladder-arrow.failed').getByText('NO_NODE').waitFor();
    await view.page.getByText('No SDP was returned').waitFor();
    expect(await view.page.getByRole('heading', { name: 'Media' }).count()).toBe(0);
    expect(await view.barriers()).toEqual([]);
    await view.shot('inspector-no-node');
  });

  test('say that a call has ended, and why', async () => {
    const callId = 'hung-up@pbx.example.com';
    await (await stage.call(callId)).hangUp();
    const view = await enter('#/');
    // This rtpengine says nothing when a call is deleted.
    view.allow(404);
    await view.go(inspect(callId));
    await view.page.getByText('The call has ended, and its relay did not tell its last figures.').waitFor();
    await view.page.locator('.call-facts').getByText('BYE').waitFor();
    await view.page.getByText(`rtp-cluster explain ${callId}`).waitFor();
  });

  test('say that a call is not known', async () => {
    const view = await enter('#/');
    view.allow(404);
    await view.go(inspect('never@heard.of'));
    await view.page.getByText('This call is not known here').waitFor();
  });

  test('copy the Call-ID', async () => {
    const view = await enter(inspect(ONE_WAY));
    await view.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await view.page.getByRole('button', { name: 'Copy the Call-ID' }).click();
    await view.page.getByText('Copied').waitFor();
    expect(await view.page.evaluate('navigator.clipboard.readText()')).toBe(ONE_WAY);
  });

  test.each([
    ['light', {}],
    ['dark', { theme: 'dark' }],
    ['phone', PHONE],
    ['zh', { language: 'zh' }],
  ] as const)('look well and keep nobody out: %s', async (name, options) => {
    const view = await enter('#/calls?state=all', options);
    await view.page.getByRole('link', { name: ONE_WAY }).waitFor();
    expect(await view.barriers()).toEqual([]);
    await view.shot(`calls-${name}`);
    await view.go(inspect(ONE_WAY));
    await view.page.locator('.flow-way.flowing').first().waitFor({ timeout: HINT_MS });
    await view.page.locator('.findings').waitFor({ timeout: HINT_MS });
    expect(await view.barriers()).toEqual([]);
    // Nothing is wider than the screen.
    const isWide = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';
    expect(await view.page.evaluate(isWide)).toBe(false);
    await view.shot(`inspector-${name}`);
  });
});
