/**
 * The version of this package.
 *
 * Runs on: main.
 */

import { readFileSync } from "node:fs";

// From dist/src/cli; npm packs package.json always.
const PACKAGE_FILE = new URL("../../../package.json", import.meta.url);

/** Gives the version, as package.json has it. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(PACKAGE_FILE, "utf8")) as { version: string };
  return version;
}
