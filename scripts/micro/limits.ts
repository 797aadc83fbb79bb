/**
 * Measures the cost of rate limits for a message, from the text of its frame through an echo
 * handler to the reply, without limits and with each kind of limit. Also measures the cost of a
 * refused message.
 *
 * Runs on: the main thread, with the cases taking turns in one run. No engine, no network.
 * Usage:   npm run build && node dist/scripts/micro/limits.js
 */

import { defineChannel, defineEndpoint, defineSocket, ok } from "../../src/index.ts";
import type { ChannelLimits, Rate, SocketLimits } from "../../src/index.ts";
import type { SoloConnection } from "../../src/solo/solo-connection.ts";
import { silentShard } from "./silent-shard.ts";

const ROUNDS = 15;
const MESSAGES = 20_000;
const ECHO = '["1","12345","room:lobby","echo",{"body":"Hello there, how is everybody?","n":1}]';
const LONG = `["1","12345","room:lobby","echo",{"body":"${"x".repeat(1_000)}"}]`;

/** A limit that is high enough to let everything pass. */
const AMPLE: Rate = { limit: 60_000, perMs: 1_000, burst: 1_000_000 };
const AMPLE_BYTES: Rate = { limit: 1_000_000_000, perMs: 1_000 };
const NOTHING: Rate = { limit: 1, perMs: 3_600_000 };

interface Case {
  readonly what: string;
  readonly socket?: SocketLimits;
  readonly channel?: ChannelLimits;
  readonly frame?: string;
}

const CASES: readonly Case[] = [
  { what: "no limits" },
  { what: "messages of the connection", socket: { messages: AMPLE } },
  { what: "messages and bytes of the connection", socket: { messages: AMPLE, bytes: AMPLE_BYTES } },
  { what: "messages of the channel", channel: { messages: AMPLE } },
  { what: "messages of the id", socket: { perId: { messages: AMPLE } } },
  {
    what: "messages of connection, id and address",
    socket: { messages: AMPLE, perId: { messages: AMPLE }, perAddress: { messages: AMPLE } },
  },
  { what: "refused, from a flooding client", socket: { messages: NOTHING } },
  { what: "no limits, 1 KB", frame: LONG },
  { what: "refused unread, 1 KB", socket: { messages: NOTHING }, frame: LONG },
];

const silent = (): void => {};

async function connected({ socket: limits = {}, channel = {} }: Case): Promise<SoloConnection> {
  const hasLimits = Object.keys(limits).length > 0;
  const socket = defineSocket({
    connect: () => ok({}),
    id: () => "me",
    ...(hasLimits && { limits }),
  });
  const room = defineChannel(socket, {
    join: () => ok(),
    handleIn: { echo: (_, payload) => ok(payload) },
    ...(Object.keys(channel).length > 0 && { limits: channel }),
  });
  const shard = silentShard(
    defineEndpoint({ sockets: { "/socket": { socket, channels: { "room:*": room } } } }),
  );
  const connectInfo = { peerData: { address: "192.0.2.1" } };
  const client = { onFrame: silent, onClose: silent };
  const request = { path: undefined, params: {}, connectInfo, identity: undefined };
  const decision = await shard.connect(request, client);
  if (decision.result !== "ok") throw new Error(decision.result);
  decision.connection.receive('["1","1","room:lobby","phx_join",{}]');
  return decision.connection;
}

const connections = await Promise.all(CASES.map(connected));
const best = CASES.map(() => Infinity);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [at, { frame = ECHO }] of CASES.entries()) {
    const connection = connections[at] as SoloConnection;
    const startedMs = performance.now();
    for (let count = 0; count < MESSAGES; count += 1) connection.receive(frame);
    const ns = ((performance.now() - startedMs) * 1_000_000) / MESSAGES;
    best[at] = Math.min(best[at] as number, ns);
  }
}
for (const [at, { what }] of CASES.entries()) {
  const ns = best[at] as number;
  const more = ns - (best[0] as number);
  console.log(
    `${what.padEnd(42)}${ns.toFixed(0).padStart(7)} ns${more.toFixed(0).padStart(8)} more`,
  );
}
process.exit(0);
