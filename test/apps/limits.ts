/**
 * An app whose sockets have rate limits per connection, id and address.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";
import type { SocketLimits } from "../../src/index.ts";

const MINUTE_MS = 60_000;

function socketWith(limits: SocketLimits) {
  return defineSocket({
    connect: ({ params }) => ok({ id: params["id"] ?? null }),
    id: ({ assigns }) => assigns.id,
    limits,
  });
}

const perId = socketWith({ perId: { messages: { limit: 10, perMs: MINUTE_MS } } });
const perAddress = socketWith({ perAddress: { messages: { limit: 10, perMs: MINUTE_MS } } });
const connects = socketWith({
  perAddress: { connects: { limit: 2, perMs: MINUTE_MS } },
  perId: { connects: { limit: 1, perMs: MINUTE_MS } },
  // As set by a proxy.
  address: ({ connectInfo }) =>
    connectInfo.xHeaders?.findLast(([name]) => name === "x-forwarded-for")?.[1] ?? null,
});
const joins = socketWith({ joins: { limit: 1, perMs: 100 } });

const room = defineChannel(perId, {
  join: (channel) => ok({ shard: channel.shard }),
  handleIn: { echo: (_channel, payload) => reply("ok", payload) },
});
const channels = { "room:*": room };

export default defineEndpoint({
  checkOrigin: false,
  sockets: {
    "/id": { socket: perId, channels },
    "/address": { socket: perAddress, channels, longpoll: true },
    "/connects": { socket: connects, channels, longpoll: true, connectInfo: ["xHeaders"] },
    "/joins": { socket: joins, channels },
  },
});
