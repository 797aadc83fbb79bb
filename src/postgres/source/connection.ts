/**
 * The connections of a source, for queries and for replication.
 *
 * Each notices that the other end is gone, and lets the server notice it as well: a server that keeps the session of a
 * leader that vanished keeps its lock, too.
 *
 * Runs on: shard, if it has a source.
 */

import type { Client, ClientConfig } from "pg";

import { makeError } from "../../errors.ts";
import type { PostgresAddress } from "../address.ts";
import { closeConnection, isClosing, newClient, refusalOf } from "../connection.ts";
import { SET_PATH } from "../library.ts";

/** Time limit for the answer to a query (ms). */
const QUERY_MS = 60_000;
const KEEP_ALIVE_MS = 10_000;
/**
 * Settings of the session. A statement sets them, since the URL may contain options of its own. Values must have the same
 * text everywhere, whatever the defaults of the database are. The server notices after 10 s + 3 × 5 s that a client has
 * vanished.
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

/**
 * Opens a connection.
 *
 * @param onLost - called once if the connection is lost later, not by `closeConnection`
 * @throws SIM_ERR_DATABASE, SIM_ERR_DATABASE_REFUSED, SIM_ERR_CLIENT_PACKAGE (rejects)
 */
export async function openConnection(
  address: PostgresAddress,
  kind: "queries" | "replication",
  name: string,
  onLost: (error: Error) => void,
): Promise<Client> {
  const config: ClientConfig & { readonly replication?: "database" } = {
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    // The only query of a replication lasts as long as the connection.
    ...(kind === "queries" ? { query_timeout: QUERY_MS } : { replication: "database" }),
  };
  const client = await newClient(address, { ...config, application_name: `simurgh ${name}` });
  const { shown } = address;
  let isOpen = false;
  const lost = (cause?: Error): void => {
    if (!isOpen || isClosing(client)) return;
    isOpen = false;
    const message = `the connection to the database ${shown} was lost`;
    onLost(makeError("SIM_ERR_DATABASE", message, { cause }));
  };
  client.on("error", lost);
  client.on("end", () => lost());
  try {
    await client.connect();
    await client.query(SETTINGS);
  } catch (cause) {
    void closeConnection(client);
    const message = `the database ${shown} must accept a connection`;
    throw refusalOf(address, cause) ?? makeError("SIM_ERR_DATABASE", message, { cause });
  }
  isOpen = true;
  return client;
}
