// What GitHub's own parser finds: `node findings.mjs FILES…` prints one line a finding, on standard output.
import { readFileSync } from "node:fs";
import { register } from "node:module";

// The packages import JSON in the way of bundlers; Node wants to be told its type.
const json = `export function load(url, context, next) {
  return next(url, url.endsWith(".json") ? { ...context, importAttributes: { type: "json" } } : context);
}`;
register(`data:text/javascript,${encodeURIComponent(json)}`);

const { registerLogger, validate } = await import("@actions/languageservice");
const { TextDocument } = await import("vscode-languageserver-textdocument");

// The parser says on its log, and nowhere else, that it gave a file up.
let path;
const say = (text) => console.log(`${path}: ${text}`);
registerLogger({ log() {}, info() {}, warn: say, error: say });

for (path of process.argv.slice(2)) {
  const document = TextDocument.create(`file://${path}`, "yaml", 1, readFileSync(path, "utf8"));
  for (const { message, range } of await validate(document)) {
    console.log(`${path}:${range.start.line + 1}:${range.start.character + 1}: ${message}`);
  }
}
