// A user at a browser: opens the address, signs in or refuses on the provider's pages, and reads the final page.
// Each visit writes a folder below --out: the page as a picture and as HTML, and `visit.json` with what the browser
// saw.
//
//   person.mjs --out DIR [--gate FILE] [--refuse] [--code CODE] [--elsewhere] [--pages FILE] [--login NAME] URL|-
//
// --gate: waits until FILE exists, like a user who searches for a password.   --refuse: presses Cancel.
// --code: enters the code, and ends on the provider's page.   --elsewhere: on a machine that cannot reach the
// callback; prints its address.   --pages: the pages of another provider, see providers/foreign.py.
// --login: who signs in, else alice.

import { createHmac } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const { values: { out, gate, refuse, code, elsewhere, pages, login }, positionals: [named] } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' }, gate: { type: 'string' }, refuse: { type: 'boolean' }, code: { type: 'string' }, elsewhere: { type: 'boolean' },
    pages: { type: 'string' }, login: { type: 'string', default: 'alice' },
  },
});

/** An address with a secret comes by stdin, so that no process list shows it. */
const address = named === '-' ? readFileSync(0, 'utf8').trim() : named;

const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic', '--no-first-run'];
/** The provider is `localhost`. For 127.0.0.1, where the callback is, this sets a proxy that does not exist. */
const FAR = elsewhere ? ['--proxy-server=127.0.0.1:9', '--proxy-bypass-list=<-loopback>;localhost'] : [];
const BOX = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];
// The browser's own path to the provider, which does not depend on the program's.
const WAY = [...(elsewhere ? [] : ['--no-proxy-server']), '--host-resolver-rules=MAP *.acme.test 127.0.0.1'];

/** The program's origins: of the address that it printed, and of the callback that it sent to the provider. */
const ours = new Set(code || elsewhere ? [] : [new URL(address).origin]);
const local = (url) => ours.has(new URL(url).origin);

function learnCallback(request) {
  const callback = new URL(request.url()).searchParams.get('redirect_uri');
  if (callback) ours.add(new URL(callback).origin);
}

async function until(condition) {
  while (!condition()) await new Promise((wake) => setTimeout(wake, 50));
}

/** The start address redirects with `state` and `nonce`, which only the browser may know, so they are not recorded. */
function withoutLocation({ location, ...headers }) {
  return headers;
}

/** The program's address may also lead to the AWS console, which shows no form. */
const inConsole = (url) => new URL(url).pathname === '/federation';

/** A one-time password of this moment: RFC 6238 with SHA-1, six digits and thirty seconds. */
function oneTimePassword(secret) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac('sha1', secret).update(counter).digest();
  const number = digest.readUInt32BE(digest.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

function typed(value) {
  if (value.totp) return oneTimePassword(value.totp);
  return value.code ? code : value;
}

/** How long a page may stay after it was answered. On a busy machine a provider can lose an answer and show the page again. */
const PATIENCE = 15_000;

/** Answers the described pages, in any order, until the browser is at the program's address or one page ends it. */
async function answerPages(page) {
  const described = JSON.parse(readFileSync(pages, 'utf8'));
  const over = () => !code && local(page.url());
  for (const deadline = Date.now() + 60_000; !over(); await new Promise((wake) => setTimeout(wake, 100))) {
    if (Date.now() > deadline) throw new Error(`no page is described like ${page.url()}: ${await page.locator('body').innerText()}`);
    for (const it of described) {
      if (Date.now() - (it.answered ?? 0) < PATIENCE || !await page.locator(it.sees).first().isVisible().catch(() => false)) continue;
      if (it.ends) return;
      it.answered = Date.now();
      await page.waitForLoadState(); // its scripts give the buttons their meaning
      for (const [field, value] of Object.entries(it.fill ?? {})) await page.fill(field, typed(value));
      for (const box of it.check ?? []) if (await page.locator(box).count()) await page.check(box);
      await page.locator(refuse && it.refuse ? it.refuse : it.click).first().click({ noWaitAfter: true });
      break;
    }
  }
  if (!code) await page.waitForLoadState();
}

/** Walks through the provider's pages until the browser is at the program's address again. */
async function answerProvider(page) {
  if (gate) await until(() => existsSync(gate));
  if (pages) return answerPages(page);
  while (!local(page.url()) && !inConsole(page.url())) {
    await Promise.all([page.waitForEvent('load'), refuse ? page.getByText('[ Cancel ]').click() : fillIn(page)]);
  }
}

/** Walks through the provider's pages for a device code, which end at the provider. */
async function enterCode(page) {
  if (pages) return answerPages(page);
  while (!(await page.locator('body').innerText()).includes('successful')) {
    await Promise.all([page.waitForEvent('load'), fillIn(page)]);
  }
}

/** Walks through the provider's pages until they redirect the browser to an address that this machine cannot reach. */
async function signInElsewhere(page) {
  let last;
  const arrived = new Promise((resolve) => {
    page.on('request', (request) => {
      if (new URL(request.url()).pathname === '/callback') resolve(last = request.url());
    });
  });
  while (!last) {
    const filled = Promise.all([page.waitForEvent('load'), fillIn(page)]);
    await Promise.race([arrived, filled.catch(() => arrived)]);
  }
  console.log(last);
}

async function fillIn(page) {
  if (await page.locator('input[name=user_code]:not([type=hidden])').count()) await page.fill('input[name=user_code]', code);
  if (await page.locator('input[name=login]').count()) {
    await page.fill('input[name=login]', login);
    await page.fill('input[name=password]', 'anything');
  }
  await page.click('button[type=submit]');
}

async function visit() {
  const folder = mkdtempSync(join(out, 'visit-'));
  const writeReport = (report) => {
    writeFileSync(join(folder, 'visit.part'), JSON.stringify({ address, ...report }, null, 2));
    renameSync(join(folder, 'visit.part'), join(folder, 'visit.json'));
  };
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...BOX, ...QUIET, ...WAY, ...FAR] });
  try {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, timezoneId: 'UTC', locale: 'en-GB' });
    // The provider's demonstration pages load a web font, which is not available here.
    const here = (url) => ['localhost', '127.0.0.1'].includes(url.hostname) || url.hostname.endsWith('.acme.test');
    await context.route((url) => !here(url), (route) => route.abort());
    const page = await context.newPage();
    const documents = [];
    page.on('request', learnCallback);
    page.on('response', (response) => {
      if (response.request().resourceType() === 'document' && local(response.url())) documents.push(response);
    });
    page.setDefaultTimeout(60_000);
    await page.goto(address);
    if (elsewhere) return await signInElsewhere(page);
    await (code ? enterCode(page) : answerProvider(page));
    const html = await page.content();
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(folder, `${colorScheme}.png`), animations: 'disabled' });
    }
    writeFileSync(join(folder, 'page.html'), html);
    writeReport({
      text: await page.locator('body').innerText(),
      title: await page.title(),
      documents: await Promise.all(documents.map(async (it) => ({
        path: new URL(it.url()).pathname, status: it.status(), headers: withoutLocation(await it.allHeaders()),
      }))),
    });
  } catch (error) {
    writeReport({ error: String(error) });
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

// Browsers print messages. None may reach the program's own streams.
console.log('chatter');
console.error('chatter');
await visit();
