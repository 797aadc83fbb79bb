/**
 * Where the database is: an option, SIMURGH_POSTGRES_URL, or the variables of PostgreSQL's own programs.
 *
 * Runs on: shard; main, for `simurgh postgres`. Pure functions.
 */

import { invalidOption, shown } from "../definition-checks.ts";

/** How to reach the database. */
export interface PostgresOptions {
  /**
   * URL of the database, such as `postgres://user:password@host:5432/database?sslmode=verify-full`. Defaults
   * to SIMURGH_POSTGRES_URL. Without both, PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE are used.
   */
  readonly url?: string;
  /** The schema that `simurgh postgres install` creates. Defaults to `simurgh`. */
  readonly schema?: string;
}

/** A database and the schema in it. */
export interface PostgresAddress {
  /** Undefined if PGHOST and the other variables of PostgreSQL apply. */
  readonly url: string | undefined;
  readonly schema: string;
  /** The address for messages, without user and password. */
  readonly shown: string;
}

/** The variable with the URL. */
export const URL_VARIABLE = "SIMURGH_POSTGRES_URL";
const SCHEMES = ["postgres:", "postgresql:"];
/** Longer names leave too little room for those of NOTIFY channels, which PostgreSQL cuts at 63 bytes. */
const SCHEMA = /^[a-z_][a-z0-9_]{0,31}$/;

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws SIM_ERR_OPTION_INVALID, without the URL, which may contain a password */
export function addressOf(options: PostgresOptions, environment: Environment): PostgresAddress {
  const { schema = "simurgh" } = options;
  if (typeof schema !== "string" || !SCHEMA.test(schema)) {
    throw invalidOption(
      `schema must be at most 32 lower-case letters, digits and _, got ${shown(schema)}`,
    );
  }
  if (options.url !== undefined) return { ...locate("url", options.url), schema };
  const url = environment[URL_VARIABLE];
  if (url !== undefined && url !== "") return { ...locate(URL_VARIABLE, url), schema };
  const { PGHOST, PGPORT = "5432" } = environment;
  const place = `${PGHOST ?? "localhost"}:${PGPORT}`;
  return {
    url: undefined,
    shown: PGHOST === undefined ? `${place} (${URL_VARIABLE} is not set)` : place,
    schema,
  };
}

function locate(name: string, url: string): { readonly url: string; readonly shown: string } {
  const parsed = typeof url === "string" && URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !SCHEMES.includes(parsed.protocol)) {
    const got = parsed ? `the scheme ${parsed.protocol}` : "an invalid URL";
    throw invalidOption(
      `${name} must be a URL such as postgres://user:password@host:5432/database, got ${got}`,
    );
  }
  // Without a host, the URL names a Unix socket by its query.
  const host = parsed.host === "" ? (parsed.searchParams.get("host") ?? "localhost") : parsed.host;
  return { url, shown: `${host}${parsed.pathname}` };
}
