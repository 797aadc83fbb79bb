/**
 * Finds a second copy of this package in a thread, such as in a bundle or another node_modules.
 *
 * Results and definitions are recognised by their class, and each copy has its own classes. Without
 * this check, a server would refuse what the callbacks of another copy return.
 *
 * Runs on: any thread. Evaluated once for each copy in a thread, before its other modules.
 * Owns: the record of all copies in the thread, which belongs to the thread's global object.
 */

import { existsSync } from "node:fs";

import { makeError } from "./errors.ts";

/** The copies in a thread. */
interface Copies {
  /** Locations of all copies that have been loaded. */
  readonly found: Set<string>;
  /** Location of the copy that serves the thread's app. */
  serving: string | undefined;
}

const KEY = Symbol.for("simurgh.copies");
const THIS_FILE = /\/dist\/src\/package-copy\.js$/;

const own = locationOf(import.meta.url);
const copies = copiesOf(globalThis as { [KEY]?: Copies });
copies.found.add(own);
if (copies.serving !== undefined) checkCopies();

/**
 * Declares that this copy serves the app of this thread. From now on, loading another copy throws.
 *
 * @throws SIM_ERR_APP_MODULE if another copy has been loaded
 */
export function serveWithThisCopy(): void {
  copies.serving = own;
  checkCopies();
}

/** Checks that no other copy was loaded. @throws SIM_ERR_APP_MODULE */
export function checkCopies(): void {
  const served = copies.serving ?? own;
  const other = [...copies.found].find((one) => one !== served);
  if (other === undefined) return;
  throw makeError(
    "SIM_ERR_APP_MODULE",
    `app module must import the copy of simurgh that serves it, got two copies: ${other} in the app, ${served} in the server; ` +
      "install it once (npm ls simurgh), start the server by the app's own copy (npx simurgh), or leave simurgh out of the bundle",
  );
}

/**
 * Returns the URL of a file that a thread loads.
 *
 * @param base - URL of the importing module; undefined in a bundle of CommonJS
 * @throws SIM_ERR_SHARD_START if the module is in a bundle, without the other files of the package
 */
export function threadFile(path: string, base: string | undefined): URL {
  const file = base === undefined ? undefined : new URL(path, base);
  if (file && existsSync(file)) return file;
  throw makeError(
    "SIM_ERR_SHARD_START",
    `threads must load files of the package simurgh, got no ${path} beside ${own}; leave simurgh out of the bundle (external)`,
  );
}

function locationOf(module: string | undefined): string {
  if (module === undefined) return "a bundle";
  return decodeURI(module.replace(/^file:\/\//, "").replace(THIS_FILE, ""));
}

function copiesOf(thread: { [KEY]?: Copies }): Copies {
  return (thread[KEY] ??= { found: new Set(), serving: undefined });
}
