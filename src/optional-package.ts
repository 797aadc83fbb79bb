/**
 * Loads packages that apps install only if they use the part that needs them.
 *
 * Runs on: shard; link; main, for `simurgh postgres`.
 */

import { codeOf, makeError } from "./errors.ts";

/**
 * Loads a package.
 *
 * @param purpose - what needs it, such as `to use PostgreSQL`
 * @param load - imports the package. A literal name in `import()` lets bundlers and TypeScript see it
 * @throws SIM_ERR_CLIENT_PACKAGE (rejects) if the package is not installed
 */
export async function loadPackage<Library>(
  name: string,
  purpose: string,
  load: () => Promise<Library>,
): Promise<Library> {
  try {
    return await load();
  } catch (cause) {
    // Other errors come from a package that is installed but does not load.
    if (codeOf(cause) !== "ERR_MODULE_NOT_FOUND") throw cause;
    const message = `package ${name} must be installed ${purpose} (npm install ${name}), got none`;
    throw makeError("SIM_ERR_CLIENT_PACKAGE", message, { cause });
  }
}
