/**
 * The app of the costs of transports: one channel that replies, on every transport.
 *
 * Runs on: shard; the constants, everywhere.
 */

import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../../src/index.ts";
import { postgresTransport } from "../../../src/postgres/index.ts";

/** The topic that all clients join. */
export const TOPIC = "room:1";
/** Broadcasts of a second. */
export const RATE = 200;

const client = defineSocket({ connect: () => ok({}) });

const room = defineChannel(client, {
  join: () => ok(),
  handleIn: { call: (_socket, payload) => reply("ok", payload) },
});

const url = process.env["TRANSPORT_COSTS_DATABASE"];

export default defineEndpoint({
  sockets: { "/socket": { socket: client, channels: { "room:*": room }, sse: true } },
  transports: url === undefined ? [] : [postgresTransport({ path: "/socket", url })],
});
