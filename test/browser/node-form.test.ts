/** Adding and changing nodes with a check before it is saved, against a real rtpengine; and the page of sets. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { LabBrowser, PHONE, TOKENS, type View, type ViewOptions, whyNoBrowser } from '../lab/browser.ts';
import { sweep } from '../lab/processes.ts';
import { whyNoRtpengine } from '../lab/rtpengine.ts';
import { type Stage, startStage } from './inspector-stage.ts';

const reason = whyNoBrowser() ?? whyNoRtpengine();
if (reason !== undefined) console.warn(`SKIP test/browser/node-form: ${reason}`);

afterAll(sweep);

describe.skipIf(reason !== undefined)('the form of a node', () => {
  let stage: Stage;
  let browser: LabBrowser;

  beforeAll(async () => {
    stage = await startStage(false);
    browser = await LabBrowser.start();
  });
  afterEach(async () => {
    expect(await browser.closeAll()).toEqual([]);
  });
  afterAll(async () => {
    await browser?.stop();
    await stage?.stop();
  });

  async function enter(
    place: string,
    options: ViewOptions = {},
    token: string = TOKENS.admin,
  ): Promise<View> {
    const view = await browser.open(stage.appliance.url, options);
    await view.go(place);
    await view.login(token);

    return view;
  }

  const button = (view: View, name: string) => view.page.getByRole('button', { name, exact: true });
  const nodes = async () =>
    ((await stage.appliance.api('GET', '/v1/nodes')) as { nodes: readonly { id: number }[] }).nodes;
  const check = (view: View, name: string) => view.page.locator('.nf-checks li').filter({ hasText: name });

  test('puts an error of the service at the field it is about', async () => {
    const view = await enter('#/nodes/new');
    view.allow(400);
    await view.page.getByLabel('Control socket').fill('192.0.2.1');
    await button(view, 'Check').click();
    await view.page.locator('.field.wrong').getByText('socket is "192.0.2.1"').waitFor();
    await view.page.getByLabel('Weight').fill('much');
    await button(view, 'Check').click();
    await view.page.locator('.field.wrong').getByText('“much” is no whole number').waitFor();
    expect(await nodes()).toEqual([]);
  });

  test('finds a wrong address before it is saved, and adds the node when it is right', async () => {
    const view = await enter('#/nodes/new');
    const { page } = view;
    await page.getByLabel('Control socket').fill(stage.socket);
    await button(view, 'interface').click();
    await page.getByLabel('Address 1', { exact: true }).fill(stage.inner);
    await page.getByLabel('Interface of address 1').fill('inner');
    await page.getByLabel('Address 2', { exact: true }).fill('203.0.113.77');
    await page.getByLabel('Interface of address 2').fill('outer');
    await button(view, 'Check and add').click();
    await page.getByText('The check failed', { exact: true }).waitFor();
    const outer = check(view, 'Address').filter({ hasText: 'outer' }).last();
    expect(await outer.innerText()).toContain(stage.outer);
    await page.getByText('What to do').first().waitFor();
    expect(await nodes()).toEqual([]);
    // The way on is another button, and is gone with the next change.
    await button(view, 'Add although the check failed').waitFor();
    expect(await view.barriers()).toEqual([]);
    await view.shot('node-form-wrong-address');
    await page.getByLabel('Address 2', { exact: true }).fill(stage.outer);
    await page.getByText('The form was changed after this check.').waitFor();
    expect(await button(view, 'Add although the check failed').count()).toBe(0);
    await button(view, 'Check').click();
    await page.getByText('All is well').waitFor();
    await view.shot('node-form-right');
    await button(view, 'Add the node').click();
    await page.getByText('Node 0 was added', { exact: true }).waitFor();
    await view.go('#/');
    await page.getByRole('row').filter({ hasText: stage.socket }).waitFor();
  });

  test('says what will change, and saves that', async () => {
    const view = await enter('#/nodes/0/edit');
    const { page } = view;
    const changes = page.locator('.panel').filter({ hasText: 'What will change' });
    await changes.getByText('Nothing yet.').waitFor();
    await page.getByLabel('Weight').fill('40');
    await page.getByLabel('Tags').fill('gold');
    expect(await changes.innerText()).toMatch(/Weight\s+100\s+40\s+Tags\s+none\s+gold/);
    await button(view, 'Check and save').click();
    await page.getByText('Node 0 was changed', { exact: true }).waitFor();
    const [node] = (await nodes()) as unknown as { weight: number; tags: string[] }[];
    expect([node?.weight, node?.tags]).toEqual([40, ['gold']]);
  });

  test('saves what failed only when somebody insists', async () => {
    const view = await enter('#/nodes/0/edit');
    await view.page.getByLabel('Address 2', { exact: true }).fill('203.0.113.99');
    await button(view, 'Check and save').click();
    await button(view, 'Save although the check failed').click();
    await view.page.getByText('Node 0 was changed', { exact: true }).waitFor();
    const [node] = (await nodes()) as unknown as { media_addresses: { address: string }[] }[];
    expect(node?.media_addresses.map(({ address }) => address)).toContain('203.0.113.99');
  });

  test('can be read with a token that may not change anything, and says so', async () => {
    const view = await enter('#/nodes/0/edit', {}, TOKENS.read);
    const save = button(view, 'Check and save');
    await save.waitFor();
    expect(await save.getAttribute('aria-disabled')).toBe('true');
    expect(await save.getAttribute('title')).toContain('role read');
  });

  test('says that a node is not there', async () => {
    const view = await enter('#/');
    view.allow(404);
    await view.go('#/nodes/99/edit');
    await view.page.getByText('there is no node 99').waitFor();
  });

  test('of a set changes what is said of it; one without nodes can be forgotten', async () => {
    const view = await enter('#/sets');
    const { page } = view;
    await button(view, 'Describe a set').click();
    await page.getByLabel('Number').fill('5');
    await page.getByLabel('Description').fill('WebRTC gateways');
    await page.getByLabel('Policy').selectOption('least-load');
    await page.getByLabel('Load by').selectOption('ports');
    await page.getByLabel('Port reserve').fill('90');
    view.allow(400);
    await button(view, 'Save').click();
    await page.locator('.field.wrong').getByText('port_reserve is 90').waitFor();
    await page.getByLabel('Port reserve').fill('10');
    await page.getByLabel('Media probe').check();
    expect(await view.barriers()).toEqual([]);
    await button(view, 'Save').click();
    const row = page.getByRole('row').filter({ hasText: 'WebRTC gateways' });
    await row.waitFor();
    expect(await row.innerText()).toMatch(/least-load · ports\s+10 %/);
    await view.shot('sets-light');
    await button(view, 'Forget set 5').click();
    await button(view, 'Forget').click();
    await row.waitFor({ state: 'detached' });
  });

  test.each([
    ['light', {}],
    ['dark', { theme: 'dark' }],
    ['phone', PHONE],
    ['zh', { language: 'zh' }],
  ] as const)('looks well and keeps nobody out: %s', async (name, options) => {
    const view = await enter('#/nodes/0/edit', options);
    await view.page
      .locator('form.nf button')
      .filter({ hasText: /^(Check|检查)$/ })
      .click();
    await view.page.locator('.nf-checks').waitFor();
    expect(await view.barriers()).toEqual([]);
    await view.page.evaluate('scrollTo(0, 0)');
    await view.shot(`node-form-${name}`);
    await view.go('#/sets');
    await view.page.getByRole('table').waitFor();
    expect(await view.barriers()).toEqual([]);
    await view.shot(`sets-${name}`);
  });
});
