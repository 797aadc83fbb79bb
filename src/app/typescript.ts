/**
 * TypeScript in app modules: finds the files and strips their types.
 *
 * Runs on: a shard or a thread of the task pool, or the thread on which Node.js runs its module hooks.
 *
 * Types are replaced with blanks, so that lines and columns in stack traces match the source.
 * Enums, namespaces and parameter properties are rejected, because they need generated code.
 *
 *   "./room.ts"   that file
 *   "./room.js"   room.js if it exists, otherwise room.ts, because tsc wants such imports
 *   a package     whatever Node.js finds: packages ship JavaScript, node_modules is never stripped
 *
 * Node.js and other hooks run first. These hooks handle only modules that the others cannot load.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import type * as Swc from "@swc/wasm-typescript";

import { codeOf, makeError } from "../errors.ts";
import { errorText, shownValue } from "../error-report.ts";

const TYPESCRIPT_FILE = /\.m?ts$/;
const JAVASCRIPT_FILE = /^(?:\.{0,2}\/|file:).*\.m?js$/;
const PACKAGES_FOLDER = "/node_modules/";

/** A module as returned by a load hook. */
export interface StrippedModule {
  readonly format: "module";
  readonly source: string;
  readonly shortCircuit: true;
}

/** Reports whether a module's URL refers to a TypeScript file. */
export function isTypeScript(url: string): boolean {
  return TYPESCRIPT_FILE.test(pathOf(url));
}

/**
 * Returns the URL of the TypeScript counterpart of a JavaScript file that was not found.
 *
 * @throws the given error if it is a different one, or if the specifier does not name a JavaScript
 *   file
 */
export function typeScriptBehind(specifier: string, error: unknown): string {
  const url = codeOf(error) === "ERR_MODULE_NOT_FOUND" ? typeScriptFor(specifier) : undefined;
  if (url === undefined) throw error;
  return url;
}

/** Returns the URL of a JavaScript file's TypeScript counterpart; undefined for any other file. */
export function typeScriptFor(url: string): string | undefined {
  return JAVASCRIPT_FILE.test(url) ? `${url.slice(0, -"js".length)}ts` : undefined;
}

/**
 * Returns a TypeScript module with its types stripped, after Node.js has rejected its extension.
 *
 * @throws the given error if it is a different one
 * @throws SIM_ERR_APP_MODULE if the types cannot be stripped
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

/** Returns the message for a file whose types cannot be stripped, including a way to fix this. */
export function unstrippableMessage(what: string): string {
  return (
    `app module must be TypeScript whose types can be stripped, got ${what}; ` +
    "change it (tsc's erasableSyntaxOnly finds what cannot be stripped), or compile it to JavaScript"
  );
}

function stripTypes(source: string, file: string): string {
  // Loaded here, because only Node.js versions that cannot strip types need its 4 MB of
  // WebAssembly.
  const require = createRequire(import.meta.url);
  const swc = require("@swc/wasm-typescript") as typeof Swc;
  try {
    return swc.transformSync(source, { mode: "strip-only", module: true, filename: file }).code;
  } catch (error) {
    // The stripper's errors are plain objects, which would lose their text on the way to main.
    const what = describeStripError(error, file);
    const cause = new SyntaxError(what);
    throw makeError("SIM_ERR_APP_MODULE", unstrippableMessage(what), { cause });
  }
}

/** Describes an error of the stripper, which is a plain object, including its location. */
function describeStripError(error: unknown, file: string): string {
  if (typeof error !== "object" || error === null || !("message" in error)) {
    return `${errorText(error)} in ${file}`;
  }
  const line = "startLine" in error ? `:${String(error.startLine)}` : "";
  const column = "startColumn" in error ? `:${Number(error.startColumn) + 1}` : "";
  return `"${shownValue(error.message)}" at ${file}${line}${column}`;
}

function pathOf(url: string): string {
  return url.split(/[?#]/, 1)[0] as string;
}
