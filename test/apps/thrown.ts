/**
 * An app whose user code throws whatever can be thrown, everywhere.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import {
  defineChannel,
  defineEndpoint,
  defineSocket,
  ok,
  reply,
  stop,
  type Route,
  type ShardContext,
} from "../../src/index.ts";
import { WHATEVER } from "../support/whatever.ts";

interface Chosen {
  /** Index in WHATEVER. */
  readonly at: number;
}

function valueOf({ at }: Chosen): unknown {
  return WHATEVER[at]?.[1];
}

const socket = defineSocket({
  connect: async ({ params }) => {
    const at = Number(params["at"] ?? -1);
    if (params["how"] === "throw") throw valueOf({ at });
    if (params["how"] === "return") return valueOf({ at }) as never;
    return ok({});
  },
});

const syncSocket = defineSocket({
  connect: ({ params }) => {
    if (params["at"] !== undefined) throw valueOf({ at: Number(params["at"]) });
    return ok({});
  },
});

const room = defineChannel(socket, {
  logJoin: false,
  join: () => ok(),
  handleIn: {
    ping: () => reply("ok"),
    throw: (_channel, chosen) => {
      throw valueOf(chosen as Chosen);
    },
    reject: async (_channel, chosen) => {
      await Promise.resolve();
      throw valueOf(chosen as Chosen);
    },
    return: (_channel, chosen) => valueOf(chosen as Chosen) as never,
    resolve: async (_channel, chosen) => valueOf(chosen as Chosen) as never,
    stop: (_channel, chosen) => stop(valueOf(chosen as Chosen) as never),
    reply: (_channel, chosen) => reply("ok", { value: valueOf(chosen as Chosen) }),
    send: (channel, chosen) => channel.send(valueOf(chosen as Chosen)),
    outside: (_channel, chosen) => {
      void Promise.reject(valueOf(chosen as Chosen));
      setImmediate(() => {
        throw valueOf(chosen as Chosen);
      });
      return reply("ok");
    },
  },
  handleInfo: (_channel, message) => {
    throw message;
  },
  terminate: (channel) => {
    throw valueOf({ at: Number(channel.topic.split(":")[1]) });
  },
});

const joins = defineChannel(socket, {
  logJoin: false,
  join: (_channel, params) => {
    const { how, at } = params as Chosen & { readonly how: string };
    if (how === "throw") throw valueOf({ at });
    if (how === "reject") return Promise.reject(valueOf({ at }));
    return valueOf({ at }) as never;
  },
});

const throwing: Route<ShardContext> = ({ params }) => {
  throw valueOf({ at: Number(params["at"]) });
};
const rejecting: Route<ShardContext> = async ({ params }) => {
  await Promise.resolve();
  throw valueOf({ at: Number(params["at"]) });
};
const returning: Route<ShardContext> = ({ params }) =>
  valueOf({ at: Number(params["at"]) }) as never;

export default defineEndpoint({
  sockets: {
    "/socket": { socket, channels: { "room:*": room, "join:*": joins } },
    "/sync": { socket: syncSocket, channels: {}, longpoll: true },
  },
  routes: {
    "GET /throw/:at": throwing,
    "GET /reject/:at": rejecting,
    "GET /return/:at": returning,
  },
  stop() {
    throw valueOf({ at: WHATEVER.findIndex(([name]) => name.startsWith("a Proxy")) });
  },
});
