/**
 * Clients on the shards that a test needs.
 *
 * The native engine deals connections to the shards in turn. With the portable engine the system deals them by a hash,
 * so clients that reach another shard are closed, and others opened.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";

import { testEngine } from "./engine.ts";
import type { Server } from "./server.ts";

const { engine } = await testEngine();
/** Why tests of several shards are skipped; false if the engine of tests has several. */
export const noSecondShard: string | false =
  engine.maxShards === 1 && "the engine has one shard here";
/** Why tests of turns are skipped; false if the engine of tests deals connections in turn. */
export const noTurns: string | false =
  engine.kind === "portable" && "the system deals the connections";

/** Returns how many shards a server has that is started with so many. */
export function shardsOf(wanted: number): number {
  return Math.min(wanted, engine.maxShards);
}

/** Reports whether a server runs on the portable engine, so that the system deals its connections. */
export function isPortable(server: Pick<Server, "stats">): boolean {
  return server.stats().engine.kind === "portable";
}

/** Restarts all shards of a server, one after the other. */
export async function restartAll(server: Pick<Server, "shards" | "restartShard">): Promise<void> {
  for (let shard = 0; shard < server.shards; shard += 1) await server.restartShard(shard);
}

/** How a test opens and closes its clients. */
export interface DealtClients<Client> {
  readonly server: Pick<Server, "shards" | "sockets">;
  /** Opens a client that has joined. */
  readonly open: (at: number) => Promise<Client>;
  /** Returns the shard of a client; without it, the server is asked after each opening. */
  readonly shardOf?: (client: Client) => number;
  readonly close: (client: Client) => void;
}

/** Opens so many clients, one after the other, on the shards in turn, beginning with that of the first. */
export async function openedInTurn<Client>(
  count: number,
  { server, open, shardOf, close }: DealtClients<Client>,
): Promise<Client[]> {
  const known = new Set((await server.sockets()).map(({ connection }) => connection));
  const before = known.size;
  const clients: Client[] = [];
  let firstShard: number | undefined;
  while (clients.length < count) {
    const at = clients.length;
    const client = await open(at);
    const shard = shardOf ? shardOf(client) : await newShard(server, known);
    firstShard ??= shard;
    if (shard === (firstShard + at) % server.shards) {
      clients.push(client);
      continue;
    }
    close(client);
    // Each question makes a round trip to the shards before the next one.
    while ((await server.sockets()).length > before + at);
  }
  return clients;
}

/** Opens a client on each shard, and returns them in the order of the shards. */
export async function openedOnEach<Client>({
  server,
  open,
  shardOf,
  close,
}: DealtClients<Client> & Required<Pick<DealtClients<Client>, "shardOf">>): Promise<Client[]> {
  const before = (await server.sockets()).length;
  const byShard = new Map<number, Client>();
  for (let at = 0; byShard.size < server.shards; at += 1) {
    const client = await open(at);
    if (byShard.has(shardOf(client))) close(client);
    else byShard.set(shardOf(client), client);
  }
  while ((await server.sockets()).length > before + server.shards);
  return [...byShard].toSorted(([one], [other]) => one - other).map(([, client]) => client);
}

/** Returns the shard of the only connection that is not known, and makes it known. */
async function newShard(server: Pick<Server, "sockets">, known: Set<number>): Promise<number> {
  const unknown = (await server.sockets()).filter(({ connection }) => !known.has(connection));
  assert.equal(unknown.length, 1);
  const [{ connection, shard }] = unknown as [(typeof unknown)[0]];
  known.add(connection);
  return shard;
}
