/**
 * Connections to the database: how they are made, which refusals are final, how they are closed.
 *
 * Runs on: shard; main, for `simurgh postgres`.
 */

import type { Client, ClientConfig } from "pg";

import { codeOf, makeError, type SimurghError } from "../errors.ts";
import { messageOf } from "../error-report.ts";
import type { PostgresAddress } from "./address.ts";
import { loadPg } from "./library.ts";

/** Time limit for connecting (ms). */
export const CONNECT_MS = 10_000;
/** Time for a connection to be closed in an orderly way (ms). */
const CLOSE_MS = 1_000;
/** Refusals, as the server's codes: wrong user or password, no such database, no permission. */
const REFUSED = /^(?:28|3D)...$|^42501$/;

/** Connections that are being closed, or were. */
const CLOSING = new WeakSet<Client>();

/** The messages of PostgreSQL's protocol, for which `pg` has no types. */
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

/** Creates a client, which is not connected yet. @throws SIM_ERR_CLIENT_PACKAGE (rejects) */
export async function newClient(
  { url }: PostgresAddress,
  config: ClientConfig & { readonly application_name: string },
): Promise<Client> {
  const library = await loadPg();
  return new library.Client({
    ...(url !== undefined && { connectionString: url }),
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    ...config,
  });
}

/** Returns the error for a server that will not let this node in, however often it tries; undefined for other failures. */
export function refusalOf({ shown }: PostgresAddress, cause: unknown): SimurghError | undefined {
  if (!REFUSED.test(codeOf(cause) ?? "")) return undefined;
  const message = `the database ${shown} must let this node in, got ${messageOf(cause)}`;
  return makeError("SIM_ERR_DATABASE_REFUSED", message, { cause });
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
  // A server that does not answer must not keep the socket open.
  stream.destroy();
}

/** Reports whether `closeConnection` was called. */
export function isClosing(client: Client): boolean {
  return CLOSING.has(client);
}
