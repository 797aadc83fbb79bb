/**
 * The version of this package.
 *
 * Runs on: main.
 */

import { readFileSync } from "node:fs";

// Relative to dist/src/cli. npm always includes package.json in a package.
const PACKAGE_FILE = new URL("../../../package.json", import.meta.url);

/** Returns the version from package.json. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(PACKAGE_FILE, "utf8")) as { version: string };
  return version;
}
