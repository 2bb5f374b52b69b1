// The second judge: @cloud-copilot/iam-simulate, which others wrote. It answers the questions of standard input, a JSON array, on
// standard output. It is under the AGPL, so it runs in this process only, and nothing of it is in this repository.
//
//     simulate.mjs NODE_MODULES
//
// A question: {principal, action, resource, account, context, policies, boundary, own, endpoint}. Policies are [{name, policy}], `own`
// is the policy of the resource. An answer: {checked, unchecked}, each "Allowed", "ImplicitlyDenied" or "ExplicitlyDenied".
// iam-simulate drops the condition keys that the Service Authorization Reference does not list for the action from a request.
// `unchecked` is its answer with them.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const home = `${process.argv[2]}/@cloud-copilot`;
const load = (file) => import(pathToFileURL(`${home}/${file}`));
const { loadPolicy } = await load("iam-policy/dist/esm/index.js");
const { runSimulation } = await load("iam-simulate/dist/esm/index.js");
const { authorize } = await load("iam-simulate/dist/esm/core_engine/CoreSimulatorEngine.js");
const { DiscoveryContextKeyConstraints } = await load("iam-simulate/dist/esm/context_keys/discoveryContextKeyConstraints.js");
const { AwsRequestImpl } = await load("iam-simulate/dist/esm/request/request.js");
const { RequestContextImpl } = await load("iam-simulate/dist/esm/requestContext.js");

async function answer(question) {
  const simulation = {
    request: {
      principal: question.principal,
      action: question.action,
      resource: { resource: question.resource, accountId: question.account },
      contextVariables: question.context,
    },
    identityPolicies: question.policies,
    permissionBoundaryPolicies: question.boundary ?? undefined,
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    resourcePolicy: question.own ?? undefined,
    vpcEndpointPolicies: question.endpoint ?? undefined,
  };
  const checked = await runSimulation(simulation, {});
  if (checked.resultType === "error") throw new Error(`${question.action} ${question.resource}: ${JSON.stringify(checked.errors)}`);
  const isComplete = (checked.results ?? [checked.result]).every((it) => it.ignoredContextKeys.length === 0);
  return { checked: checked.overallResult, unchecked: isComplete ? checked.overallResult : authorizeUnchecked(simulation) };
}

// What runSimulation does after its checks.
function authorizeUnchecked({ request, ...simulation }) {
  const named = (policies) => policies?.map(({ name, policy }) => loadPolicy(policy, { name }));
  const context = new RequestContextImpl(request.contextVariables);
  return authorize({
    request: new AwsRequestImpl(request.principal, request.resource, request.action, context, request.resource.resource === "*"),
    identityPolicies: named(simulation.identityPolicies),
    permissionBoundaries: named(simulation.permissionBoundaryPolicies),
    vpcEndpointPolicies: named(simulation.vpcEndpointPolicies),
    resourcePolicy: simulation.resourcePolicy && loadPolicy(simulation.resourcePolicy, { name: "own" }),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    simulationParameters: { simulationMode: "Strict", discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]) },
    serviceSettings: {},
  }).result;
}

const answers = [];
for (const question of JSON.parse(readFileSync(0))) answers.push(await answer(question));
process.stdout.write(JSON.stringify(answers));
