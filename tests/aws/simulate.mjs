// The second judge: @cloud-copilot/iam-simulate, which others wrote. It answers the questions of standard input, a JSON array, on
// standard output. It is under the AGPL, so it runs in this process only, and nothing of it is in this repository.
//
//     simulate.mjs NODE_MODULES
//
// A question: {principal, action, resource, account, context, policies: [{name, policy}], boundary: [{name, policy}] or null, trust}.
// An answer: {result: "Allowed" | "ImplicitlyDenied" | "ExplicitlyDenied", unlisted: [KEY, …]}. `unlisted` are the condition keys
// that the Service Authorization Reference does not list for the action. iam-simulate drops them from a request. The answer is then
// the one that it gives without this check.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const home = `${process.argv[2]}/@cloud-copilot/iam-simulate/dist/esm`;
const { runSimulation } = await import(pathToFileURL(`${home}/index.js`));
const { runUnsafeSimulation } = await import(pathToFileURL(`${home}/simulation_engine/unsafeSimulationEngine.js`));

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
    resourcePolicy: question.trust ?? undefined,
  };
  const checked = await runSimulation(simulation, {});
  if (checked.resultType !== "single") throw new Error(`${JSON.stringify(question)}: ${JSON.stringify(checked.errors ?? checked.resultType)}`);
  const unlisted = checked.result.ignoredContextKeys;
  return { result: unlisted.length ? runUnsafeSimulation(simulation, {}) : checked.overallResult, unlisted };
}

const answers = [];
for (const question of JSON.parse(readFileSync(0))) answers.push(await answer(question));
process.stdout.write(JSON.stringify(answers));
