/**
 * Connections of a source to its database.
 *
 * Each connection notices that the other end is gone, and lets the server notice it as well: a server that keeps
 * the session of a vanished leader keeps its lock, too.
 *
 * Runs on: shard, if it has a source.
 */

import type { Client, ClientConfig } from "pg";

import { messageOf } from "../../error-report.ts";
import { isError, makeError } from "../../errors.ts";
import type { PostgresAddress } from "../address.ts";
import { loadPg, SET_PATH } from "../library.ts";

/** Time limit for a connection, and for the answer to a query. */
const CONNECT_MS = 10_000;
const QUERY_MS = 60_000;
const KEEP_ALIVE_MS = 10_000;
/** Time for a connection to be closed in an orderly way. */
const CLOSE_MS = 1_000;
/**
 * Settings of the session. They are set by a statement, since the URL may have options of its own. The text of values must be the same everywhere, whatever the database's defaults are. A client
 * that has vanished is noticed after 10 s + 3 × 5 s.
 */
const SETTINGS = [
  SET_PATH,
  "SET timezone = 'UTC'",
  "SET datestyle = 'ISO'",
  "SET intervalstyle = 'postgres'",
  "SET bytea_output = 'hex'",
  "SET extra_float_digits = 1",
  "SET tcp_keepalives_idle = 10",
  "SET tcp_keepalives_interval = 5",
  "SET tcp_keepalives_count = 3",
  "SET statement_timeout = 0",
  "SET idle_session_timeout = 0",
].join("; ");

/** Refusals, as the server's codes: wrong user or password, no such database, no permission. */
const REFUSED = /^(?:28|3D)...$|^42501$/;

/** Connections that are closed on purpose. */
const CLOSING = new WeakSet<Client>();

/** The part of `pg` that has no types: the protocol's messages of a client. */
export interface ProtocolConnection {
  readonly stream: {
    pause(): void;
    resume(): void;
    destroy(): void;
  };
  on(event: "copyData", listener: (message: { readonly chunk: Buffer }) => void): void;
  on(event: "replicationStart", listener: () => void): void;
  sendCopyFromChunk(chunk: Buffer): void;
}

/** Returns the protocol's messages of a client. */
export function protocolOf(client: Client): ProtocolConnection {
  return (client as unknown as { readonly connection: ProtocolConnection }).connection;
}

/**
 * Opens a connection.
 *
 * @param onLost - called once if the connection is lost later, not by `closeConnection`
 * @throws SIM_ERR_DATABASE (rejects)
 */
export async function openConnection(
  { url, shown }: PostgresAddress,
  kind: "queries" | "replication",
  name: string,
  onLost: (error: Error) => void,
): Promise<Client> {
  const library = await loadPg();
  const config: ClientConfig & { readonly replication?: "database" } = {
    ...(url !== undefined && { connectionString: url }),
    application_name: `simurgh ${name}`,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    // A replication's only query lasts as long as the connection.
    ...(kind === "queries" ? { query_timeout: QUERY_MS } : { replication: "database" }),
  };
  const client = new library.Client(config);
  let isOpen = false;
  const lost = (error?: Error): void => {
    if (!isOpen || CLOSING.has(client)) return;
    isOpen = false;
    onLost(connectionLost(shown, error));
  };
  client.on("error", lost);
  client.on("end", () => lost());
  try {
    await client.connect();
    await client.query(SETTINGS);
  } catch (cause) {
    protocolOf(client).stream.destroy();
    if (REFUSED.test(sqlStateOf(cause) ?? "")) {
      const message = `the database ${shown} must let this node in, got ${messageOf(cause)}`;
      throw makeError("SIM_ERR_DATABASE_REFUSED", message, { cause });
    }
    throw makeError("SIM_ERR_DATABASE", `the database ${shown} must accept a connection`, {
      cause,
    });
  }
  isOpen = true;
  return client;
}

function connectionLost(shown: string, cause: Error | undefined): Error {
  const message = `the connection to the database ${shown} was lost`;
  return makeError("SIM_ERR_DATABASE", message, { cause });
}

/** Closes a connection, whatever its state is. Never rejects. */
export async function closeConnection(client: Client): Promise<void> {
  CLOSING.add(client);
  const { stream } = protocolOf(client);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS);
  });
  // A connection whose stream is paused would never see its end.
  stream.resume();
  await Promise.race([client.end().catch(() => {}), late]);
  clearTimeout(timer);
  stream.destroy();
}

/** Returns the SQLSTATE of a server's error; undefined for other errors. */
export function sqlStateOf(error: unknown): string | undefined {
  if (!isError(error) || !("code" in error) || typeof error.code !== "string") return undefined;
  return /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
}

/** Writes a name as an SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Writes a text as an SQL literal. */
export function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes("\\") ? ` E${quoted.replaceAll("\\", "\\\\")}` : quoted;
}

/** Writes the name of a table, with its schema, as SQL. */
export function tableName({
  schema,
  table,
}: {
  readonly schema: string;
  readonly table: string;
}): string {
  return `${identifier(schema)}.${identifier(table)}`;
}
