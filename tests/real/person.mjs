// A person at a browser: opens the address, signs in or refuses at the provider's pages, and reads the page they end on.
// Each visit leaves a folder under --out: the page as a picture and as HTML, and `visit.json` with what the browser saw.
//
//   person.mjs --out DIR [--gate FILE] [--refuse] [--code CODE] [--elsewhere] URL|-
//
// --gate: think until FILE exists, as people do who look for their password.   --refuse: press Cancel.
// --code: enter it, and end on the provider's own page.   --elsewhere: be on a machine that cannot reach the callback, and print its address.

import { existsSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const { values: { out, gate, refuse, code, elsewhere }, positionals: [named] } = parseArgs({
  allowPositionals: true,
  options: { out: { type: 'string' }, gate: { type: 'string' }, refuse: { type: 'boolean' }, code: { type: 'string' }, elsewhere: { type: 'boolean' } },
});

/** An address that holds what is for the person alone comes by stdin, where no list of processes shows it. */
const address = named === '-' ? readFileSync(0, 'utf8').trim() : named;

const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic', '--no-first-run'];
/** The provider is `localhost`; for this number there is a proxy that nobody runs. */
const FAR = elsewhere ? ['--proxy-server=127.0.0.1:9', '--proxy-bypass-list=<-loopback>;localhost'] : [];
const BOX = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];
// The way to the provider that a person's browser has, whatever way the program is given.
const WAY = [...(elsewhere ? [] : ['--no-proxy-server']), '--host-resolver-rules=MAP *.acme.test 127.0.0.1'];

/** The program's own origins: of the address it gave us, and of the callback it asked the provider for. */
const ours = new Set(code || elsewhere ? [] : [new URL(address).origin]);
const local = (url) => ours.has(new URL(url).origin);

function learnCallback(request) {
  const callback = new URL(request.url()).searchParams.get('redirect_uri');
  if (callback) ours.add(new URL(callback).origin);
}

async function until(condition) {
  while (!condition()) await new Promise((wake) => setTimeout(wake, 50));
}

/** The start address redirects with `state` and `nonce`, which are the browser's to know and not ours to keep. */
function withoutLocation({ location, ...headers }) {
  return headers;
}

/** Our address may also lead to the AWS console, which asks nothing. */
const inConsole = (url) => new URL(url).pathname === '/federation';

/** Walks the provider's pages until the browser stands on our address again. */
async function answerProvider(page) {
  if (gate) await until(() => existsSync(gate));
  while (!local(page.url()) && !inConsole(page.url())) {
    await Promise.all([page.waitForEvent('load'), refuse ? page.getByText('[ Cancel ]').click() : fillIn(page)]);
  }
}

/** Walks the provider's pages for a device code, which end at the provider. */
async function enterCode(page) {
  while (!(await page.locator('body').innerText()).includes('successful')) {
    await Promise.all([page.waitForEvent('load'), fillIn(page)]);
  }
}

/** Walks the provider's pages until they send the browser to an address that this machine does not have. */
async function arriveElsewhere(page) {
  let last;
  const arrived = new Promise((tell) => {
    page.on('request', (request) => {
      if (new URL(request.url()).pathname === '/callback') tell(last = request.url());
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
    await page.fill('input[name=login]', 'alice');
    await page.fill('input[name=password]', 'anything');
  }
  await page.click('button[type=submit]');
}

async function visit() {
  const folder = mkdtempSync(join(out, 'visit-'));
  const keep = (report) => {
    writeFileSync(join(folder, 'visit.part'), JSON.stringify({ address, ...report }, null, 2));
    renameSync(join(folder, 'visit.part'), join(folder, 'visit.json'));
  };
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...BOX, ...QUIET, ...WAY, ...FAR] });
  try {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, timezoneId: 'UTC', locale: 'en-GB' });
    // The provider's demonstration pages ask for a web font, which no one here can fetch.
    await context.route((url) => !['localhost', '127.0.0.1', 'login.acme.test'].includes(url.hostname), (route) => route.abort());
    const page = await context.newPage();
    const documents = [];
    page.on('request', learnCallback);
    page.on('response', (response) => {
      if (response.request().resourceType() === 'document' && local(response.url())) documents.push(response);
    });
    page.setDefaultTimeout(60_000);
    await page.goto(address);
    if (elsewhere) return await arriveElsewhere(page);
    await (code ? enterCode(page) : answerProvider(page));
    const html = await page.content();
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(folder, `${colorScheme}.png`), animations: 'disabled' });
    }
    writeFileSync(join(folder, 'page.html'), html);
    keep({
      text: await page.locator('body').innerText(),
      title: await page.title(),
      documents: await Promise.all(documents.map(async (it) => ({
        path: new URL(it.url()).pathname, status: it.status(), headers: withoutLocation(await it.allHeaders()),
      }))),
    });
  } catch (error) {
    keep({ error: String(error) });
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
}

// Browsers chatter; none of it may reach the program's own streams.
console.log('chatter');
console.error('chatter');
await visit();
