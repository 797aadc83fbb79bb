/**
 * Checks the names of environment variables that start with SIMURGH_. Without this, a misspelled
 * variable would silently leave an option at its default.
 *
 * Runs on: main, once, before anything starts. Pure functions.
 */

import { invalidOption } from "../definition-checks.ts";
import { nearestName } from "../nearest-name.ts";
import { OPTIONS } from "./options.ts";

const PREFIX = "SIMURGH_";
const OPTION_VARIABLES: readonly string[] = Object.values(OPTIONS).map(({ env }) => env);

/** Known variables that are not options: of the scripts of this repository, and of `simurgh/postgres`. */
export const OTHER_VARIABLES: readonly string[] = ["SIMURGH_NO_INSTALL", "SIMURGH_POSTGRES_URL"];

/**
 * Variables that Kubernetes and Docker set for a service whose name is `simurgh` or starts with it,
 * such as SIMURGH_SERVICE_HOST and SIMURGH_PORT_4000_TCP_ADDR.
 */
const SERVICE_VARIABLE =
  /_SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/;
const SERVICE_ADDRESS = /^(?:tcp|udp|sctp):\/\//;

/**
 * Checks that all variables with the prefix SIMURGH_ are known.
 *
 * @throws SIM_ERR_OPTION_INVALID, with the nearest known name for each unknown variable
 */
export function checkVariables(environment: Readonly<Record<string, string | undefined>>): void {
  const unknown = Object.keys(environment)
    .filter((name) => name.startsWith(PREFIX) && !isKnown(name, environment[name]))
    .toSorted();
  if (unknown.length === 0) return;
  const got = unknown.map((name) => `${name}${hintFor(name)}`).join(", ");
  throw invalidOption(
    `environment variables that start with ${PREFIX} must be options (see \`simurgh serve --help-all\`), got ${got}`,
  );
}

function isKnown(name: string, value: string | undefined): boolean {
  if (OPTION_VARIABLES.includes(name) || OTHER_VARIABLES.includes(name)) return true;
  return SERVICE_VARIABLE.test(name) || isServiceAddress(value);
}

/**
 * Reports whether a value has the form that Kubernetes and Docker use for `<NAME>_PORT`. For a
 * service named `simurgh`, that variable collides with the option `port`.
 */
export function isServiceAddress(value: string | undefined): boolean {
  return value !== undefined && SERVICE_ADDRESS.test(value);
}

function hintFor(name: string): string {
  const names = OPTION_VARIABLES.map((known) => known.slice(PREFIX.length));
  const nearest = nearestName(name.slice(PREFIX.length), names);
  return nearest === undefined ? "" : ` (did you mean ${PREFIX}${nearest}?)`;
}
