// A provider made with better-auth, as its documentation sets it up, and the three pages that it leaves to its users:
// sign-in, consent, device code.
//
//   better_auth_server.mjs PORT
//
// prints `ready ISSUER` once it listens. `POST /control` changes it: {"kill": true} deletes all refresh tokens,
// {"rotate": true} deletes the signing key, so that the next token gets another.

import { createServer } from 'node:http';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';
import { oauthDeviceAuthorization, oauthProvider } from '@better-auth/oauth-provider';

const port = Number(process.argv[2]);
const origin = `http://localhost:${port}`;
const tables = ['user', 'session', 'account', 'verification', 'jwks', 'deviceCode', 'oauthClient', 'oauthRefreshToken', 'oauthAccessToken'];
const more = ['oauthConsent', 'oauthResource', 'oauthClientResource', 'oauthClientAssertion', 'rateLimit'];
const database = Object.fromEntries([...tables, ...more].map((name) => [name, []]));

const auth = betterAuth({
  baseURL: origin,
  secret: 'only for tests, and as long as it has to be',
  database: memoryAdapter(database),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: 'error' },
  plugins: [
    // The default is EdDSA, which AWS does not accept.
    jwt({ jwks: { keyPairConfig: { alg: 'RS256' } } }),
    oauthProvider({
      loginPage: '/sign-in',
      consentPage: '/consent',
      silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
      // By default the e-mail address is in UserInfo only.
      customIdTokenClaims: ({ user }) => ({ email: user.email, email_verified: true }),
    }),
    oauthDeviceAuthorization({ verificationUri: '/device' }),
  ],
});

const SCRIPT = `
async function post(path, body) {
  const answer = await fetch('/api/auth' + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const found = await answer.json();
  if (!answer.ok) throw new Error(JSON.stringify(found));
  return found;
}
const query = location.search.slice(1);
const go = (found) => { const to = found.url ?? found.redirect_uri ?? found.redirectURI; if (to) location.href = to; };
const say = (text) => { document.getElementById('said').textContent = text; };
`;

const SIGN_IN_FORM = '<form id="sign-in"><input name="email"><input name="password" type="password"><button type="submit">Sign in</button></form>';

const PAGES = {
  '/sign-in': `${SIGN_IN_FORM}<script>${SCRIPT}
    document.getElementById('sign-in').onsubmit = async (event) => {
      event.preventDefault();
      const form = Object.fromEntries(new FormData(event.target));
      await post('/sign-in/email', { ...form, oauth_query: query }).then(go, (error) => say(error.message));
    };</script>`,
  '/consent': `<h1>Let this application sign you in?</h1><button id="accept">Accept</button><button id="deny">Deny</button><script>${SCRIPT}
    const answer = (accept) => post('/oauth2/consent', { accept, oauth_query: query }).then(go, (error) => say(error.message));
    document.getElementById('accept').onclick = () => answer(true);
    document.getElementById('deny').onclick = () => answer(false);</script>`,
  '/device': `${SIGN_IN_FORM}
    <form id="device" hidden><input name="code"><button id="approve" type="button">Approve</button><button id="deny" type="button">Deny</button></form>
    <script>${SCRIPT}
    const shown = document.getElementById('device'), given = new URLSearchParams(query).get('user_code');
    document.getElementById('sign-in').onsubmit = async (event) => {
      event.preventDefault();
      await post('/sign-in/email', Object.fromEntries(new FormData(event.target)));
      event.target.hidden = true;
      shown.hidden = false;
      if (given) shown.elements.code.value = given;
    };
    const answer = async (verb) => {
      const userCode = shown.elements.code.value;
      await fetch('/api/auth/device?user_code=' + encodeURIComponent(userCode));
      await post('/device/' + verb, { userCode }).then(() => say('done: ' + verb), (error) => say(error.message));
    };
    document.getElementById('approve').onclick = () => answer('approve');
    document.getElementById('deny').onclick = () => answer('deny');</script>`,
};

const CONTROLS = {
  kill: () => { database.oauthRefreshToken.length = 0; },
  rotate: () => { database.jwks.length = 0; },
};

const handle = toNodeHandler(auth);

async function read(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return JSON.parse(text);
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, origin);
  if (PAGES[pathname]) {
    return response.setHeader('content-type', 'text/html').end(`<!doctype html><title>Sign in</title>${PAGES[pathname]}<p id="said"></p>`);
  }
  if (pathname === '/control') {
    for (const name of Object.keys(await read(request))) CONTROLS[name]();
    return response.end('{}');
  }
  // For an issuer with a path, these documents are the application's to serve.
  if (pathname === '/api/auth/.well-known/openid-configuration') {
    const found = await auth.api.getOpenIdConfig({ headers: request.headers });
    return response.setHeader('content-type', 'application/json').end(JSON.stringify(found));
  }
  return handle(request, response);
});

server.listen(port, '127.0.0.1', async () => {
  await auth.api.signUpEmail({ body: { email: 'alice@example.com', password: 'correct horse', name: 'Alice' } });
  const { adapter } = await auth.$context;
  await adapter.create({
    model: 'oauthClient',
    data: {
      clientId: 'bedrock-sso',
      name: 'bedrock-sso',
      redirectUris: ['http://127.0.0.1/callback'],
      tokenEndpointAuthMethod: 'none',
      grantTypes: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      responseTypes: ['code'],
      applicationType: 'native',
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      requirePKCE: true,
      enableEndSession: true,
      createdAt: new Date(),
      updatedAt: new Date(),
    },
  });
  console.log(`ready ${origin}/api/auth`);
});
