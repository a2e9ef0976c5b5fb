// The page of the API in Chromium: it shows every call of the document, and what is sent from it is
// answered. Its own policy lets nothing else run.

import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ApiWorld, adminToken, openApiWorld } from '../integration/api-world.ts';

const executablePath = '/usr/bin/chromium';

describe.skipIf(!existsSync(executablePath))('the page of the API', () => {
  let browser: Browser;
  let page: Page;
  let world: ApiWorld;
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    world = await openApiWorld();
    page = await browser.newPage();
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`${world.url}/v1/docs`);
    await page.waitForSelector('details.call');
  });
  afterEach(async () => {
    await page.close();
    await world.close();
    expect(complaints.splice(0)).toEqual([]);
  });

  it('shows every call, and those that are looked for alone', async () => {
    const answer = await fetch(`${world.url}/v1/openapi.json`);
    const { paths } = (await answer.json()) as { readonly paths: Record<string, object> };
    const calls = Object.values(paths).flatMap((path) => Object.keys(path));
    expect(await page.locator('details.call').count()).toBe(calls.length);
    await page.fill('#find', 'cancel a request');
    expect(await page.locator('details.call:visible .path').allTextContents()).toEqual([
      '/v1/services/{name}/requests/{id}/cancel',
    ]);
  });

  it('sends a call with the token, and shows what is answered', async () => {
    await page.fill('#token', adminToken);
    await page.click('#getV1Server > summary');
    await page.click('#getV1Server button');
    const answer = page.locator('#getV1Server .answer');
    await answer.getByText('"engine": "memory"').waitFor();
    expect(await answer.locator('p').textContent()).toMatch(/^200 OK after \d+ ms$/);
    await page.fill('#token', 'wrong');
    await page.click('#getV1Server button');
    await answer.getByText('"unauthorized"').waitFor();
    // Chromium itself notes every answer of a failure.
    expect(complaints.splice(0)).toEqual([expect.stringContaining('401')]);
  });
});
