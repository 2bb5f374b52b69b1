// Parses Terraform files with HashiCorp's parser. Usage: parse.mjs NODE_MODULES FOLDER …
//
// Prints {FOLDER: {"files": {FILE: JSON}, "references": [REFERENCE, …]}}: what is written in each file, and the
// references in all expressions. A file that is not HCL is an error with its line.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [modules, ...folders] = process.argv.slice(2);
const { parse, getReferencesInExpression } = createRequire(resolve(modules, "here"))("@cdktn/hcl2json");

// The parser takes a text with expressions only if no quotes stand outside the expressions.
function withoutQuotes(text) {
  let depth = 0, result = "";
  for (const character of text) {
    if (character === "{") depth++;
    if (character === "}") depth--;
    result += character === '"' && depth === 0 ? "'" : character;
  }
  return result;
}

async function collect(file, value, references) {
  if (typeof value === "string") {
    if (!value.includes("${")) return;
    const found = await getReferencesInExpression(file, withoutQuotes(value));
    references.push(...found.map((reference) => reference.value));
  } else if (value && typeof value === "object") {
    for (const each of Object.values(value)) await collect(file, each, references);
  }
}

const result = {};
for (const folder of folders) {
  const files = {}, references = [];
  for (const name of readdirSync(folder).filter((name) => name.endsWith(".tf"))) {
    const file = join(folder, name);
    files[name] = await parse(file, readFileSync(file, "utf8"));
    await collect(file, files[name], references);
  }
  result[folder] = { files, references };
}
process.stdout.write(JSON.stringify(result));
