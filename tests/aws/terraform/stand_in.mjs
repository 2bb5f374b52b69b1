// A provider in place of hashicorp/aws: it has that provider's schema, but no cloud behind it. So OpenTofu validates,
// plans and applies modules without network or account. A resource gets an identifier as AWS would make it, where AWS
// derives it from the configuration.
//
// The program that starts OpenTofu sets STAND_IN_MODULES (a node_modules folder) and STAND_IN_SCHEMA (of
// provider_schema.py). STAND_IN_CHANGED names a JSON file, {TYPE: {NAME: {ATTRIBUTE: VALUE}}}: what somebody else has
// changed since the last apply.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(resolve(process.env.STAND_IN_MODULES, "here"));
const grpc = require("@grpc/grpc-js");
const { loadSync } = require("@grpc/proto-loader");
const { Decoder, Encoder, ExtensionCodec } = require("@msgpack/msgpack");

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
const schema = readJson(process.env.STAND_IN_SCHEMA);
const changed = process.env.STAND_IN_CHANGED ? readJson(process.env.STAND_IN_CHANGED) : {};

// A value that is known only after the apply. Extension 12 is the same with hints about it.
class Unknown {}
const extensionCodec = new ExtensionCodec();
const encodeUnknown = (value) => (value instanceof Unknown ? new Uint8Array([0]) : null);
extensionCodec.register({ type: 0, encode: encodeUnknown, decode: () => new Unknown() });
extensionCodec.register({ type: 12, encode: () => null, decode: () => new Unknown() });
const encoder = new Encoder({ extensionCodec }), decoder = new Decoder({ extensionCodec });
const read = (value) => (value.json.length ? JSON.parse(value.json) : decoder.decode(value.msgpack));
const write = (value) => ({ msgpack: Buffer.from(encoder.encode(value)) });

// The schema as the protocol has it. Each nested block is a list; one that may exist once has at most one element.
const LIST = 2;

function describe(block) {
  const attributes = Object.entries(block.attributes).map(([name, { type, required, computed }]) => (
    { name, type: Buffer.from(JSON.stringify(type)), required, optional: !required && !computed, computed: !required }
  ));
  const block_types = Object.entries(block.blocks).map(([type_name, { required, many, block }]) => (
    { type_name, block: describe(block), nesting: LIST, min_items: required ? 1 : 0, max_items: many ? 0 : 1 }
  ));
  return { attributes, block_types };
}

function describeAll(blocks) {
  return Object.fromEntries(Object.entries(blocks).map(([type, block]) => [type, { block: describe(block) }]));
}

// Where this instance of the provider works, by its configuration.
const place = { account: "111122223333", region: "us-east-1", tags: {} };

function partition() {
  const [, special] = /^(cn|us-gov|eusc)-/.exec(place.region) ?? [];
  return special ? `aws-${special}` : "aws";
}

// What AWS adds to a resource.
function identify(type, state) {
  const iam = `arn:${partition()}:iam::${place.account}:`;
  switch (type) {
    case "aws_iam_openid_connect_provider": return { arn: `${iam}oidc-provider/${state.url.replace("https://", "")}` };
    case "aws_iam_policy": return { arn: `${iam}policy/${state.name}` };
    case "aws_iam_role": return { arn: `${iam}role/${state.name}` };
    case "aws_cognito_identity_pool": return { id: `${place.region}:00000000-1111-2222-3333-444444444444` };
    case "aws_ssoadmin_permission_set":
      return { arn: `${state.instance_arn.replace("instance", "permissionSet")}/ps-1234567890abcdef` };
    case "aws_cloudformation_stack": return { outputs: { BedrockSsoConfig: `version = 1\n\n# ${state.name}\n` } };
    default: return {};
  }
}

function observe(type) {
  switch (type) {
    case "aws_caller_identity": return { account_id: place.account };
    case "aws_partition": return { partition: partition() };
    case "aws_region": return { region: place.region };
    case "aws_default_tags": return { tags: place.tags };
    default: throw new Error(`the stand-in has no answer for data source ${type}`);
  }
}

// What only AWS knows is unknown until the resource exists, and remains the same then.
function plan(type, prior, proposed) {
  if (proposed === null) return null;
  const planned = { ...proposed };
  for (const [name, { computed }] of Object.entries(schema.resources[type].attributes)) {
    if ((computed || name === "id") && planned[name] === null) planned[name] = prior ? prior[name] : new Unknown();
  }
  return planned;
}

function apply(type, planned) {
  if (planned === null) return null;
  const added = identify(type, planned), state = { ...planned };
  const made = { arn: `arn:${partition()}:example:::${type}`, id: added.arn ?? `${type}.id`, ...added };
  for (const [name, value] of Object.entries(planned)) {
    if (value instanceof Unknown) state[name] = made[name] ?? null;
  }
  return state;
}

const answers = {
  GetSchema: () => ({
    provider: { block: describe(schema.provider) },
    resource_schemas: describeAll(schema.resources),
    data_source_schemas: describeAll(schema.data),
  }),
  PrepareProviderConfig: ({ config }) => ({ prepared_config: config }),
  ValidateResourceTypeConfig: () => ({}),
  ValidateDataSourceConfig: () => ({}),
  UpgradeResourceState: ({ raw_state }) => ({ state: { json: raw_state.json } }),
  Configure({ config }) {
    const { region, assume_role: [role], allowed_account_ids: accounts, default_tags: [common] } = read(config);
    place.region = region ?? place.region;
    place.account = role?.role_arn.split(":")[4] ?? accounts?.[0] ?? place.account;
    place.tags = common?.tags ?? {};
    return {};
  },
  ReadResource({ type_name, current_state }) {
    const state = read(current_state);
    return { state: write(state && { ...state, ...changed[type_name]?.[state.name] }) };
  },
  PlanResourceChange({ type_name, prior_state, proposed_new_state }) {
    return { state: write(plan(type_name, read(prior_state), read(proposed_new_state))) };
  },
  ApplyResourceChange: ({ type_name, planned_state }) => ({ state: write(apply(type_name, read(planned_state))) }),
  ReadDataSource: ({ type_name, config }) => ({ state: write({ ...read(config), ...observe(type_name) }) }),
  Stop: () => ({}),
};

function serve(answer) {
  return ({ request }, reply) => {
    try {
      reply(null, answer(request));
    } catch (error) {
      reply({ code: grpc.status.INTERNAL, message: error.stack });
    }
  };
}

const socket = join(mkdtempSync(join(tmpdir(), "stand-in-")), "socket");

function end() {
  rmSync(dirname(socket), { recursive: true });
  process.exit();
}

const server = new grpc.Server();
const proto = fileURLToPath(new URL("provider.proto", import.meta.url));
const services = loadSync(proto, { keepCase: true, longs: Number, defaults: true, arrays: true });
const handlers = Object.entries(answers).map(([name, answer]) => [name, serve(answer)]);
server.addService(services["tfplugin5.Provider"], Object.fromEntries(handlers));

// OpenTofu asks each provider to end.
const asIs = (value) => value;
const shutdown = {
  path: "/plugin.GRPCController/Shutdown", requestStream: false, responseStream: false,
  requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs,
};
server.addService({ Shutdown: shutdown }, {
  Shutdown(_, reply) {
    reply(null, Buffer.alloc(0));
    setImmediate(end);
  },
});

server.bindAsync(`unix:${socket}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  process.stdout.write(`1|5|unix|${socket}|grpc\n`);
});
