/**
 * Imports the user's modules, in JavaScript or TypeScript: the app module and the tasks module.
 *
 * Runs on: a shard, once, before it is ready; a thread of the task pool, before its first task.
 */

import { existsSync, statSync } from "node:fs";
import * as nodeModule from "node:module";
import { fileURLToPath } from "node:url";

import { makeError } from "../errors.ts";
import {
  isTypeScript,
  stripModule,
  typeScriptBehind,
  typeScriptFor,
  unstrippableMessage,
} from "./typescript.ts";
import { errorText, reportOf } from "../error-report.ts";
import { codeOf, isError } from "../errors.ts";

/**
 * Module hooks on the importing thread, available since Node.js 22.15. The types of Node.js 20 lack
 * them.
 */
interface SyncHooks {
  resolve(
    specifier: string,
    context: unknown,
    nextResolve: (specifier: string, context: unknown) => unknown,
  ): unknown;
  load(
    url: string,
    context: unknown,
    nextLoad: (url: string, context: unknown) => unknown,
  ): unknown;
}

/** What Node.js says of a module that it takes for CommonJS because of its name and its package.json. */
const IN_COMMONJS = /outside a module|^Unexpected token 'export'/;

let hasHooks = false;

/**
 * Imports an app module and returns its default export.
 *
 * @param url - a `file:` URL. If it ends in .ts or .mts, imported modules may be TypeScript too
 * @throws SIM_ERR_APP_MODULE if the module cannot be imported (see `cause`) or has no default
 *   export
 */
export async function loadAppModule(url: string): Promise<unknown> {
  const subject = "app module";
  const namespace = await loadModule(url, subject);
  if ("default" in namespace && namespace.default !== undefined) return namespace.default;
  const names = Object.keys(namespace).filter((name) => name !== "default");
  throw makeError(
    "SIM_ERR_APP_MODULE",
    `app module must have a default export made by defineEndpoint, got ${names.join(", ") || "no export"} in ${fileOf(url, subject)}`,
  );
}

/**
 * Imports one of the user's modules and returns its exports.
 *
 * @param url - as for `loadAppModule`. If a .js file does not exist, the .ts file with the same
 *   name is used
 * @param subject - description of the module, for error messages
 * @throws SIM_ERR_APP_MODULE if the module cannot be imported (see `cause`)
 */
export async function loadModule(url: string, subject: string): Promise<object> {
  const file = fileOf(url, subject);
  if (existsSync(file)) {
    if (statSync(file).isDirectory()) {
      throw makeError("SIM_ERR_APP_MODULE", `${subject} must be a file, got the folder ${file}`);
    }
    if (isTypeScript(url)) acceptTypeScript();
    return importModule(url, file, subject);
  }
  const behind = typeScriptFor(url);
  if (behind === undefined || !existsSync(fileURLToPath(behind))) {
    throw makeError("SIM_ERR_APP_MODULE", `${subject} must be a file, got none at ${file}`);
  }
  acceptTypeScript();
  return importModule(behind, fileURLToPath(behind), subject);
}

function fileOf(url: string, subject: string): string {
  if (URL.canParse(url) && new URL(url).protocol === "file:") return fileURLToPath(url);
  throw makeError("SIM_ERR_APP_MODULE", `${subject} must be a file: URL, got ${url}`);
}

async function importModule(url: string, file: string, subject: string): Promise<object> {
  try {
    return exportsOf((await import(url)) as Readonly<Record<string, unknown>>);
  } catch (error) {
    if (codeOf(error) === "SIM_ERR_APP_MODULE") throw error;
    const message = describeImportError(error, file, subject);
    throw makeError("SIM_ERR_APP_MODULE", message, { cause: error });
  }
}

/**
 * Returns a module's exports. Compilers and bundlers that turn an ES module into CommonJS mark its exports with
 * `__esModule`; Node.js imports all of them as the default export.
 */
function exportsOf(namespace: Readonly<Record<string, unknown>>): object {
  const exported = namespace["default"];
  const isCompiled =
    typeof exported === "object" && exported !== null && Object.hasOwn(exported, "__esModule");
  return isCompiled ? exported : namespace;
}

function describeImportError(error: unknown, file: string, subject: string): string {
  const code = codeOf(error);
  const what = `${errorText(error)} (in ${file} or what it imports)`;
  if (code === "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX" || code === "ERR_INVALID_TYPESCRIPT_SYNTAX") {
    return unstrippableMessage(describeNodeError(error) ?? what);
  }
  if (code === "ERR_MODULE_NOT_FOUND")
    return `${subject} must import modules that exist, got ${what}`;
  if (!(error instanceof SyntaxError)) {
    const place = placeOf(error);
    const got = place === undefined ? what : `${errorText(error)} (at ${place})`;
    return `${subject} must load without an error, got ${got}`;
  }
  return `${subject} must be free of syntax errors, got ${what}; ${syntaxAdvice(error, file)}`;
}

function syntaxAdvice({ message }: SyntaxError, file: string): string {
  if (message.includes("does not provide an export named"))
    return "import types with `import type`";
  if (IN_COMMONJS.test(message))
    return 'set "type": "module" in its package.json, or name it .mjs or .mts';
  return `node ${file} shows the line`;
}

/** The folder of this package, as it appears in stacks. */
const OWN_FOLDER = new URL("../", import.meta.url).href;

/** Returns the innermost place in the user's own code at which an error was thrown, as in its stack. */
function placeOf(error: unknown): string | undefined {
  for (const frame of reportOf(error).stack?.split("\n    at ").slice(1) ?? []) {
    const [, url, position] = /(file:\/\/\S*?)(:\d+:\d+)\)?$/.exec(frame) ?? [];
    if (url === undefined || position === undefined) continue;
    if (url.startsWith(OWN_FOLDER) || url.includes("/node_modules/")) continue;
    return url + position;
  }
  return undefined;
}

/**
 * Returns the syntax that Node.js could not strip and its location; only the first line of the
 * stack contains both.
 */
function describeNodeError(error: unknown): string | undefined {
  if (!isError(error)) return undefined;
  const place = error.stack?.split("\n", 1)[0];
  return place === undefined ? undefined : `"${error.message}" at ${place}`;
}

/** Enables TypeScript on this thread. */
function acceptTypeScript(): void {
  if (hasHooks) return;
  hasHooks = true;
  if ("registerHooks" in nodeModule) {
    (nodeModule.registerHooks as (hooks: SyncHooks) => void)({
      resolve(specifier, context, nextResolve) {
        try {
          return nextResolve(specifier, context);
        } catch (error) {
          return nextResolve(typeScriptBehind(specifier, error), context);
        }
      },
      load(url, context, nextLoad) {
        try {
          return nextLoad(url, context);
        } catch (error) {
          return stripModule(url, error);
        }
      },
    });
    return;
  }
  nodeModule.register(new URL("./typescript-hooks.js", import.meta.url));
}
