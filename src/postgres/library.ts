/**
 * Loads `pg`, the client library of PostgreSQL, which apps install only if they use a database.
 *
 * Runs on: shard; main, for `simurgh postgres`.
 */

import type * as Library from "pg";

import { makeError } from "../errors.ts";

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
  try {
    return await import("pg");
  } catch (cause) {
    // Other errors come from a package that is installed but does not load.
    if (!(cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND")) {
      throw cause;
    }
    const message = "package pg must be installed to use PostgreSQL (npm install pg), got none";
    throw makeError("SIM_ERR_CLIENT_PACKAGE", message, { cause });
  }
}
