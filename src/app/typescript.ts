/**
 * TypeScript for app modules: how it is found, and how its types are stripped.
 *
 * Runs on: a shard or a thread of the task pool, or the thread on which Node.js runs its module hooks.
 *
 * Types are overwritten with blanks, so every line and column of a stack trace is that of
 * the source. What a file needs beyond that (enums, namespaces, parameter properties) would
 * have to be generated, and is refused.
 *
 *   "./room.ts"   as it stands
 *   "./room.js"   room.js if there is one, or else room.ts: that is how tsc has it written
 *   a package     as Node.js has it: packages ship JavaScript, nothing in node_modules is stripped
 *
 * Node.js and other hooks are asked first, so what they can load is theirs to load.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import type * as Swc from "@swc/wasm-typescript";

import { makeError } from "../errors.ts";

const TYPESCRIPT_FILE = /\.m?ts$/;
const JAVASCRIPT_FILE = /^(?:\.{0,2}\/|file:).*\.m?js$/;
const PACKAGES_FOLDER = "/node_modules/";

/** A module as a load hook gives it to Node.js. */
export interface StrippedModule {
  readonly format: "module";
  readonly source: string;
  readonly shortCircuit: true;
}

/** Tells whether a module's URL is that of a TypeScript file. */
export function isTypeScript(url: string): boolean {
  return TYPESCRIPT_FILE.test(pathOf(url));
}

/**
 * Gives the TypeScript that may stand behind a JavaScript file that was not found.
 *
 * @throws the error that was given, where there can be none
 */
export function typeScriptBehind(specifier: string, error: unknown): string {
  const url = codeOf(error) === "ERR_MODULE_NOT_FOUND" ? typeScriptFor(specifier) : undefined;
  if (url === undefined) throw error;
  return url;
}

/** Gives the URL of the TypeScript that a JavaScript file would be written from; undefined: of none. */
export function typeScriptFor(url: string): string | undefined {
  return JAVASCRIPT_FILE.test(url) ? `${url.slice(0, -"js".length)}ts` : undefined;
}

/**
 * Gives a TypeScript module without its types, where Node.js did not know its extension.
 *
 * @throws the error that was given, where it is about something else
 * @throws SIM_ERR_APP_MODULE when the types cannot be stripped
 */
export function stripModule(url: string, error: unknown): StrippedModule {
  const isOurs = isTypeScript(url) && !url.includes(PACKAGES_FOLDER);
  if (codeOf(error) !== "ERR_UNKNOWN_FILE_EXTENSION" || !isOurs) throw error;
  const file = fileURLToPath(pathOf(url));
  return {
    format: "module",
    source: stripTypes(readFileSync(file, "utf8"), file),
    shortCircuit: true,
  };
}

/** Gives the code of an error, or undefined where it has none. */
export function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}

/** Says why a file's types cannot be stripped, and what to do. */
export function unstrippableMessage(what: string): string {
  return (
    `app module must be TypeScript whose types can be stripped, got ${what}; ` +
    "correct it (tsc's erasableSyntaxOnly finds what cannot be stripped), or compile it to JavaScript"
  );
}

function stripTypes(source: string, file: string): string {
  // Required here: its 4 MB of WebAssembly are only for the Node.js that cannot strip types.
  const require = createRequire(import.meta.url);
  const swc = require("@swc/wasm-typescript") as typeof Swc;
  try {
    return swc.transformSync(source, { mode: "strip-only", module: true, filename: file }).code;
  } catch (error) {
    throw makeError("SIM_ERR_APP_MODULE", unstrippableMessage(describeStripError(error, file)), {
      cause: error,
    });
  }
}

/** Gives what the stripper said, and where; it throws plain objects. */
function describeStripError(error: unknown, file: string): string {
  if (typeof error !== "object" || error === null || !("message" in error)) {
    return `${String(error)} in ${file}`;
  }
  const line = "startLine" in error ? `:${String(error.startLine)}` : "";
  const column = "startColumn" in error ? `:${Number(error.startColumn) + 1}` : "";
  return `"${String(error.message)}" at ${file}${line}${column}`;
}

function pathOf(url: string): string {
  return url.split(/[?#]/, 1)[0] as string;
}
