/**
 * Opens the socket of an accepted connection, either a socket with channels or a raw socket.
 *
 * Runs on: shard.
 */

import type { Connection } from "../channel/connection.ts";
import type { AnyIdentity } from "./identity.ts";
import { RawSocket } from "./raw-socket.ts";
import type { ServedSocket } from "./served-socket.ts";
import type { ShardSockets } from "./shard-sockets.ts";
import { Socket } from "./socket.ts";

/** Creates the socket of a connection. Its mount determines which kind it is. */
export function openSocket(
  shared: ShardSockets,
  connection: Connection,
  identity: AnyIdentity,
): ServedSocket {
  return "serializer" in identity
    ? new Socket(shared, connection, identity)
    : new RawSocket(shared, connection, identity);
}
