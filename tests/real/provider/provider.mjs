// A certified OpenID provider with strict rules: it requires PKCE, rotates refresh tokens, and punishes their reuse.
// It records its requests and every secret that it issues. It does not know the program under test.
//
// HOST (localhost)   PORT (0)   ALG (RS256|ES256)   TLS_CERT, TLS_KEY (else plain http)   LOGIN (html|auto)   ID_TTL (seconds)
// CLAIMS (id_token|userinfo): where the claims of the scopes `profile` and `email` are
// CLIENT: JSON with more of the client's registration, such as its secret; CLIENT_KEY: a PEM file with its public key
// PEOPLE: JSON with claims by subject, beside the usual ones   OTHER_CLIENT: the identifier of a second client
// EVENTS, LEDGER: files with one JSON object per line.   It prints `ready ISSUER` once it listens.
// POST /control: {"faults": [[503, "text/plain", "busy"], …]} are the answers to the next token requests; {"forget":
// true} ends all sessions.

import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import Provider from 'oidc-provider';

const { HOST = 'localhost', PORT = '0', ALG = 'RS256', TLS_CERT, TLS_KEY, LOGIN = 'html', ID_TTL = '3600', CLAIMS = 'id_token', EVENTS, LEDGER } = process.env;
const CLIENT = 'bedrock-sso';
const PROOF = JSON.parse(process.env.CLIENT ?? '{}');
if (process.env.CLIENT_KEY) PROOF.jwks = { keys: [createPublicKey(readFileSync(process.env.CLIENT_KEY)).export({ format: 'jwk' })] };
const PEOPLE = JSON.parse(process.env.PEOPLE ?? '{}');
const TAGS = 'https://aws.amazon.com/tags';

const record = (event) => appendFileSync(EVENTS, `${JSON.stringify({ at: Date.now(), ...event })}\n`);
const issued = (kind, value) => value && appendFileSync(LEDGER, `${JSON.stringify({ kind, value })}\n`);

function signingKey(kid) {
  const { privateKey } = ALG === 'ES256'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid, alg: ALG, use: 'sig' };
}

function person(sub) {
  const claims = {
    sub,
    name: 'Alice Example',
    email: `${sub}@example.com`,
    email_verified: true,
    [TAGS]: { principal_tags: { Email: [`${sub}@example.com`], Department: ['Engineering'] }, transitive_tag_keys: ['Department'] },
    ...PEOPLE[sub],
  };
  return { accountId: sub, claims: () => claims };
}

const client = (identifier) => ({
  client_id: identifier,
  application_type: 'native',
  token_endpoint_auth_method: 'none',
  redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback'], // RFC 8252 §7.3: any port matches
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  response_types: ['code'],
  id_token_signed_response_alg: ALG,
  ...PROOF,
});

const configuration = {
  clients: [CLIENT, process.env.OTHER_CLIENT].filter(Boolean).map(client),
  enabledJWA: { clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256'] },
  jwks: { keys: [signingKey('current'), signingKey('next')] },
  findAccount: (_ctx, sub) => person(sub),
  claims: { openid: ['sub', TAGS], email: ['email', 'email_verified'], profile: ['name', 'nickname'] },
  conformIdTokenClaims: CLAIMS === 'userinfo', // corporate providers put the scopes' claims into the ID token
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  expiresWithSession: () => false,
  ttl: { IdToken: Number(ID_TTL), AccessToken: 3600, RefreshToken: 86400, Session: 86400, Grant: 86400, Interaction: 600 },
  cookies: { keys: ['for this run only'] },
  features: { devInteractions: { enabled: LOGIN === 'html' }, revocation: { enabled: true }, deviceFlow: { enabled: true } },
};

/** Answers every prompt for Alice, for scenarios that are not about the pages. */
async function signInAlice(provider, ctx) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(ctx.req, ctx.res);
  if (prompt.name === 'login') {
    return provider.interactionResult(ctx.req, ctx.res, { login: { accountId: 'alice' } });
  }
  const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope('openid email profile offline_access');
  return provider.interactionResult(ctx.req, ctx.res, { consent: { grantId: await grant.save() } });
}

function noteSecrets(ctx) {
  const { route, params } = ctx.oidc ?? {};
  if (route === 'authorization') ['state', 'nonce'].forEach((kind) => issued(kind, params?.[kind]));
  if (route === 'token') {
    issued('code_verifier', params?.code_verifier);
    issued('client_assertion', params?.client_assertion);
    ['id_token', 'access_token', 'refresh_token'].forEach((kind) => issued(kind, ctx.body?.[kind]));
  }
  const location = ctx.response.get('location');
  if (location) issued('code', new URL(location, ctx.href).searchParams.get('code'));
}

function noteRequest(ctx) {
  const { route, params } = ctx.oidc ?? {};
  record({
    what: route ?? 'other',
    path: ctx.path,
    agent: ctx.get('user-agent'),
    status: ctx.status,
    scope: ctx.query?.scope,
    challenge: params?.code_challenge_method,
    grant: params?.grant_type,
    error: ctx.body?.error,
  });
}

const grants = new Set();
let faults = [];

async function control(provider, ctx) {
  const asked = JSON.parse(Buffer.concat(await ctx.req.toArray()));
  faults = asked.faults ?? [];
  if (asked.forget) for (const id of grants) await (await provider.Grant.find(id))?.destroy();
  ctx.body = {};
}

function sendFault(ctx) {
  const [status, type, body] = faults.shift();
  Object.assign(ctx, { status, type, body });
}

async function answer(provider, ctx, next) {
  if (ctx.path === '/control') await control(provider, ctx);
  else if (ctx.path === '/token' && faults.length) sendFault(ctx);
  else if (ctx.path.startsWith('/interaction/') && LOGIN === 'auto') ctx.redirect(await signInAlice(provider, ctx));
  else await next();
}

function provide(issuer) {
  const provider = new Provider(issuer, configuration);
  provider.on('grant.success', (ctx) => grants.add(ctx.oidc.entities.Grant.jti));
  provider.on('grant.error', (_ctx, error) => record({ what: 'grant.error', error: error.error, detail: error.error_detail }));
  provider.on('grant.revoked', () => record({ what: 'grant.revoked' }));
  provider.on('server_error', (_ctx, error) => console.error(error));
  provider.use(async (ctx, next) => {
    await answer(provider, ctx, next);
    noteSecrets(ctx);
    noteRequest(ctx);
  });
  return provider.callback();
}

const tls = TLS_CERT && { cert: readFileSync(TLS_CERT), key: readFileSync(TLS_KEY) };
const server = tls ? https.createServer(tls) : http.createServer();
server.listen(Number(PORT), '127.0.0.1', () => {
  const issuer = `${tls ? 'https' : 'http'}://${HOST}:${server.address().port}`;
  server.on('request', provide(issuer));
  console.log(`ready ${issuer}`);
});
