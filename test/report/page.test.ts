/**
 * The page in a real browser: Chromium, headless. `.ci/run` installs it where it is missing; elsewhere FLATMIN_CHROMIUM
 * names one, and without any these tests fail and say so.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeReport } from '../../src/report/write.ts';
import { HOSTILE, sample } from './sample.ts';

const PLACES = [
  process.env.FLATMIN_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const chromium = PLACES.find((path) => path !== undefined && existsSync(path));
const METHODS = ['sgd', 'sam', 'lion', 'kfac', 'shampoo'];

const folder = mkdtempSync(join(tmpdir(), 'flatmin-page-'));
let browser: Browser;

beforeAll(async () => {
  if (chromium === undefined) {
    throw new Error(
      `no Chromium at ${PLACES.filter(Boolean).join(', ')}; help: apt-get install chromium, or name one by FLATMIN_CHROMIUM`,
    );
  }
  browser = await puppeteer.launch({
    executablePath: chromium,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

interface Opened {
  readonly page: Page;
  /** Errors and warnings, and requests of anything but the page. */
  readonly said: string[];
}

async function open(methods: readonly string[], width: number, mode = 'light'): Promise<Opened> {
  const report = await writeReport(sample(methods), join(folder, methods[0].replace(/\W/g, '')), {
    pictures: false,
  });
  const page = await browser.newPage();
  const said: string[] = [];
  page.on('console', (message) => said.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => said.push(`error: ${error}`));
  const address = pathToFileURL(report.page).href;
  page.on('request', (request) => {
    if (request.url() !== address) said.push(`request: ${request.url()}`);
  });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: mode }]);
  await page.setViewport({ width, height: 900 });
  const began = performance.now();
  await page.goto(address);
  await page.waitForSelector('html[data-ready]');
  console.log(
    `report of ${methods.length} methods, ${width} pixels wide: drawn after ${Math.round(performance.now() - began)} ms`,
  );
  return { page, said };
}

const drawn = (page: Page) =>
  page.$$eval('.plot', (plots) =>
    plots.map((plot) => plot.querySelectorAll('.mark-group path, .mark-rect path').length > 5),
  );

describe('the page of a report', () => {
  it.each([360, 800, 1400])(
    'draws every plot, asks for nothing and fits, %i pixels wide',
    async (width) => {
      const { page, said } = await open(METHODS, width);
      expect(await drawn(page)).toEqual(Array(12).fill(true));
      expect(said).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
      await page.close();
    },
  );

  it('shows names as they are, whatever they hold', async () => {
    const { page, said } = await open(HOSTILE, 800);
    expect(await drawn(page)).toEqual(Array(12).fill(true));
    expect(said).toEqual([]);
    expect(await page.evaluate('"hacked" in window')).toBe(false);
    const names = await page.$$eval('#loss-by-epoch [data-method]', (entries) =>
      entries.map((entry) => entry.textContent),
    );
    // HTML has no U+0000.
    expect(names).toEqual(HOSTILE.map((name) => name.replace('\0', '')));
    expect(await page.evaluate('document.querySelectorAll("img").length')).toBe(0);
    await page.close();
  });

  it('switches methods off and on by the legend, one alone with Shift', async () => {
    const { page } = await open(METHODS, 800);
    const points = '#plot-loss-by-epoch .mark-symbol path[fill^=var]';
    /** Waits until the plot has so many methods: it is drawn anew at the next frame. */
    const shows = (count: number) =>
      page.waitForFunction(
        `new Set([...document.querySelectorAll('${points}')].map((each) => each.getAttribute('fill'))).size === ${count}`,
      );
    const entry = (i: number) => `#loss-by-epoch [data-method="${i}"]`;
    await shows(5);
    await page.click(entry(1));
    await shows(4);
    expect(await page.$eval(entry(1), (each) => each.getAttribute('aria-pressed'))).toBe('false');
    await page.click(entry(1));
    await shows(5);
    await page.keyboard.down('Shift');
    await page.click(entry(2));
    await shows(1);
    await page.click(entry(2));
    await shows(5);
    await page.close();
  });

  it('tells the values under the pointer, as text', async () => {
    const { page, said } = await open(HOSTILE, 800);
    const plot = await page.$('#plot-loss-by-epoch');
    await plot?.scrollIntoView();
    const box = await plot?.boundingBox();
    if (!box) throw new Error('no plot');
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.mouse.move(box.x + box.width / 2 + 3, box.y + box.height / 2);
    await page.waitForSelector('#tip:not([hidden])');
    const tip = await page.$eval('#tip', (each) => ({
      text: each.textContent,
      tags: each.querySelectorAll('script,img').length,
    }));
    expect(HOSTILE.some((name) => tip.text?.startsWith(name))).toBe(true);
    expect(tip.text).toMatch(/epoch\d+.*test loss[\d.]+.*seeds3/s);
    expect(tip.tags).toBe(0);
    expect(said).toEqual([]);
    await page.close();
  });

  it('zooms by its buttons and by the wheel with Ctrl, and shows all again', async () => {
    const { page } = await open(METHODS, 800);
    const labels =
      "[...document.querySelectorAll('#plot-loss-by-epoch .role-axis-label text')].map((each) => each.textContent).sort().join(' ')";
    const whole = JSON.stringify(await page.evaluate(labels));
    await page.click('#loss-by-epoch [data-zoom="0.6"]');
    await page.waitForFunction(`${labels} !== ${whole}`);
    await page.click('#loss-by-epoch [data-zoom="0"]');
    await page.waitForFunction(`${labels} === ${whole}`);
    const box = await (await page.$('#plot-loss-by-epoch'))?.boundingBox();
    if (!box) throw new Error('no plot');
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await page.keyboard.down('Control');
    await page.mouse.wheel({ deltaY: -300 });
    await page.waitForFunction(`${labels} !== ${whole}`);
    await page.close();
  });

  it('plays paths step by step', async () => {
    const { page, said } = await open(METHODS, 800);
    const points = "document.querySelectorAll('#plot-field .mark-symbol path').length";
    const all = await page.evaluate(points);
    await page.$eval('#field input', (slider) => {
      (slider as unknown as { value: string }).value = '0';
      slider.dispatchEvent(new Event('input'));
    });
    await page.waitForFunction(`${points} < ${all}`);
    await page.click('#field [data-play]');
    await page.waitForFunction(`${points} === ${all}`);
    expect(said).toEqual([]);
    await page.close();
  });

  it('sorts a table by a click, numbers as numbers, gaps last', async () => {
    const { page } = await open(METHODS, 800);
    const column = (i: number) =>
      page.$$eval(
        '#results tbody tr',
        (rows, at) => rows.map((row) => row.children[at].textContent),
        i,
      );
    const header = '#results th:nth-child(3)';
    await page.click(`${header} button`);
    expect(await column(2)).toEqual(['4,802', '6,003', '7,203', '9,604', '–']);
    expect(await page.$eval(header, (each) => each.getAttribute('aria-sort'))).toBe('ascending');
    await page.click(`${header} button`);
    expect(await column(2)).toEqual(['9,604', '7,203', '6,003', '4,802', '–']);
    await page.click('#results th:nth-child(1) button');
    expect(await column(0)).toEqual(['kfac', 'lion', 'sam', 'sgd', 'shampoo']);
    await page.close();
  });

  it('follows the system’s colours, and its own switch', async () => {
    const { page } = await open(METHODS, 800, 'dark');
    const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const line = () =>
      page.evaluate(
        'getComputedStyle(document.querySelector("#plot-loss-by-epoch .mark-line path")).stroke',
      );
    expect(await background()).toBe('rgb(18, 21, 26)');
    const dark = await line();
    await page.click('#mode');
    expect(await background()).toBe('rgb(255, 255, 255)');
    expect(await line()).not.toBe(dark);
    await page.click('#mode');
    expect(await background()).toBe('rgb(18, 21, 26)');
    await page.emulateMediaType('print');
    expect(await background()).toBe('rgb(255, 255, 255)');
    await page.close();
  });
});
