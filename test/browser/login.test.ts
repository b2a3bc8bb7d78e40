/** Who gets into the dashboard, and what somebody who does not is told. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import type { Appliance } from '../lab/appliance.ts';
import { LabBrowser, OTHER_HOST, PHONE, startDashboard, TOKENS, whyNoBrowser } from '../lab/browser.ts';
import { sweep } from '../lab/processes.ts';

const reason = whyNoBrowser();
if (reason !== undefined) console.warn(`SKIP test/browser/login: ${reason}`);

/** Wrong tokens until an address has to wait. */
const ATTEMPTS = 10;

describe.skipIf(reason !== undefined)('the login page', () => {
  let appliance: Appliance;
  let browser: LabBrowser;

  beforeAll(async () => {
    appliance = await startDashboard([`--http-hosts=${OTHER_HOST}`]);
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

  test('asks for a token, and lets one in that is good; the page keeps nothing of it', async () => {
    const view = await browser.open(appliance.url);
    await view.go('#/events');
    await view.login(TOKENS.admin);
    // The place somebody wanted to go to.
    expect(await view.page.locator('h1').first().textContent()).toBe('Events');
    expect(await view.page.evaluate('document.cookie')).toBe('');
    expect(await view.page.evaluate('JSON.stringify({ ...localStorage, ...sessionStorage })')).not.toContain(
      TOKENS.admin,
    );
    const cookies = await view.page.context().cookies();
    expect(cookies).toHaveLength(1);
    expect(cookies[0]).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/' });
    await view.page.reload();
    await view.page.locator('header.top').waitFor();
    await view.page.getByRole('button', { name: 'Log out' }).click();
    await view.page.getByLabel('Token').waitFor();
    expect(await view.page.context().cookies()).toEqual([]);
  });

  test('says that a token is wrong, that none was entered, or that it is one for SIP proxies', async () => {
    const view = await browser.open(appliance.url);
    view.allow(401, 403);
    await view.go('');
    await view.page.getByRole('button', { name: 'Log in' }).click();
    await view.page.getByText('Enter a token.').waitFor();
    await view.page.getByLabel('Token').fill('no-token-of-this-place');
    await view.page.keyboard.press('Enter');
    await view.page.getByRole('alert').getByText('This token is not known here.').waitFor();
    await view.page.getByLabel('Token').fill(TOKENS.call);
    await view.page.keyboard.press('Enter');
    await view.page.getByRole('alert').getByText('A token for SIP proxies').waitFor();
    expect(await view.page.locator('header.top').count()).toBe(0);
  });

  test('loses nothing that was typed when the session ends meanwhile', async () => {
    const view = await browser.open(appliance.url);
    const typed = 'udp:192.0.2.7:2223';
    view.allow(401);
    await view.go('#/nodes/new');
    await view.login(TOKENS.admin);
    await view.page.getByLabel('Control socket').fill(typed);
    await view.page.context().clearCookies();
    await view.page.getByRole('button', { name: 'Check', exact: true }).click();
    await view.page.getByLabel('Token').waitFor();
    expect(await view.page.getByLabel('Control socket').isVisible()).toBe(false);
    await view.login(TOKENS.admin);
    expect(await view.page.getByLabel('Control socket').inputValue()).toBe(typed);
    // A dialog would keep somebody from the login page.
    await view.go('#/sets');
    await view.page.getByRole('button', { name: 'Describe a set' }).first().click();
    await view.page.getByLabel('Description').fill('half a sentence');
    await view.page.getByRole('textbox', { name: 'Number' }).fill('7');
    await view.page.context().clearCookies();
    await view.page.getByRole('button', { name: 'Save' }).click();
    await view.page.getByLabel('Token').waitFor();
    await view.login(TOKENS.admin);
    expect(await view.page.getByLabel('Description').inputValue()).toBe('half a sentence');
    await view.page.getByRole('button', { name: 'Save' }).click();
    await view.page.getByRole('dialog').waitFor({ state: 'detached' });
    await view.page.getByText('half a sentence').waitFor();
    // Who logs out leaves nothing behind.
    await view.go('#/nodes/new');
    await view.page.getByLabel('Control socket').fill(typed);
    await view.page.getByRole('button', { name: 'Log out' }).click();
    await view.page.getByLabel('Token').waitFor();
    expect(await view.page.locator('main').count()).toBe(1);
    await view.login(TOKENS.admin);
    expect(await view.page.getByLabel('Control socket').inputValue()).toBe('');
  });

  test('comes back when the session ends, and then shows the same place', async () => {
    const view = await browser.open(appliance.url);
    view.allow(401);
    await view.go('#/nodes/7');
    view.allow(404);
    await view.login(TOKENS.read);
    await view.page.getByText('There is no node 7').waitFor();
    await view.page.context().clearCookies();
    await view.page.getByLabel('Token').waitFor();
    await view.login(TOKENS.read);
    await view.page.getByText('There is no node 7').waitFor();
  });

  test('warns where the token would go over the network in plain text', async () => {
    const view = await browser.open(appliance.url);
    await view.go('');
    expect(await view.page.getByText('plain HTTP').count()).toBe(0);
    const { port } = new URL(appliance.url);
    const other = await browser.open(`http://${OTHER_HOST}:${port}`);
    await other.go('');
    await other.page.getByText(`This page came over plain HTTP from ${OTHER_HOST}:${port}.`).waitFor();
  });

  test('speaks Chinese to who prefers it, remembers another choice, and so with the theme', async () => {
    const view = await browser.open(appliance.url, { language: 'zh', theme: 'dark' });
    await view.go('');
    await view.page.getByRole('button', { name: '登录' }).waitFor();
    expect(await view.page.evaluate('document.documentElement.lang')).toBe('zh-CN');
    expect(await view.page.evaluate('document.documentElement.dataset.theme')).toBe('dark');
    await view.page.getByRole('button', { name: '语言：English' }).click();
    await view.page.getByRole('button', { name: 'Light theme' }).click();
    await view.page.reload();
    await view.page.getByRole('button', { name: 'Log in' }).waitFor();
    expect(await view.page.evaluate('document.documentElement.lang')).toBe('en-GB');
    expect(await view.page.evaluate('document.documentElement.dataset.theme')).toBe('light');
  });

  test('can be used without a mouse', async () => {
    const view = await browser.open(appliance.url);
    await view.go('');
    await view.page.keyboard.type(TOKENS.read);
    await view.page.keyboard.press('Tab');
    await view.page.keyboard.press('Enter');
    await view.page.locator('header.top').waitFor();
    // The first key after that leads past the navigation.
    await view.page.keyboard.press('Tab');
    expect(await view.page.evaluate('document.activeElement.textContent')).toBe('To the content');
    await view.page.keyboard.press('Enter');
    expect(await view.page.evaluate('document.activeElement.id')).toBe('main');
  });

  test.each([
    ['light', 'en', 1440],
    ['dark', 'zh', 1440],
    ['light', 'en', PHONE.width],
  ] as const)('has no barriers, %s %s %d', async (theme, language, width) => {
    const view = await browser.open(appliance.url, { theme, language, width });
    await view.go('');
    expect(await view.barriers()).toEqual([]);
    await view.shot(`login-${theme}-${language}-${width}`);
  });

  test('tells how long an address has to wait that gave too many wrong tokens', async () => {
    const view = await browser.open(appliance.url);
    view.allow(401, 429);
    await view.go('');
    for (let attempt = 0; attempt <= ATTEMPTS; attempt++) {
      await fetch(`${appliance.url}/v1/nodes`, { headers: { authorization: `Bearer wrong-${attempt}` } });
    }
    await view.page.getByLabel('Token').fill('another-wrong-one');
    await view.page.keyboard.press('Enter');
    const alert = view.page.getByRole('alert');
    await alert.getByText('Too many wrong tokens came from your address.').waitFor();
    expect(await alert.textContent()).toMatch(/You can try again in \d+ s|in 1 min/);
    expect(await view.barriers()).toEqual([]);
  });
});
