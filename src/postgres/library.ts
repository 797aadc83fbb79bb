/**
 * Loads `pg`, the client library of PostgreSQL, which apps install only if they use a database.
 *
 * Runs on: shard; main, for `simurgh postgres`.
 */

import type * as Library from "pg";

import { loadPackage } from "../optional-package.ts";

/** The client library. */
export type PgLibrary = typeof Library;

/**
 * Setting that resolves names without a schema to PostgreSQL's own functions and operators. Without it, a role that may
 * create functions in a schema such as `public` could make our statements call them, with our privileges.
 */
export const OWN_NAMES = "search_path = pg_catalog, pg_temp";

/** The first statement of each connection. */
export const SET_PATH = `SET ${OWN_NAMES}`;

/** @throws SIM_ERR_CLIENT_PACKAGE (rejects) if the package is not installed */
export async function loadPg(): Promise<PgLibrary> {
  return loadPackage("pg", "to use PostgreSQL", () => import("pg"));
}
