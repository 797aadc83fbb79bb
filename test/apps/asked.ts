/**
 * A typed app for clients that make requests: replies, refusals, missing replies and ended channels.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import { z } from "zod";
import {
  defineChannel,
  defineEndpoint,
  defineSocket,
  error,
  ok,
  stop,
  typed,
} from "../../src/index.ts";

const userSocket = defineSocket({ connect: () => ok({}) });

const room = defineChannel(userSocket, {
  params: typed<{ word: string }>(),
  in: {
    double: z.object({ n: z.number() }),
    shout: z.object({ n: z.number() }),
    shoutBack: z.object({ n: z.number() }),
    bytes: typed<Uint8Array>(),
    never: { reply: typed<object>() },
  },
  out: { doubled: typed<{ n: number }>(), tick: typed<object>() },
  info: typed<"tick">(),
  join(socket, { word }) {
    if (word !== "please") return error({ reason: "say please" });
    socket.send("tick");
    return ok({ topic: socket.topic });
  },
  handleIn: {
    double: (_, { n }) => ok({ n: n * 2 }),
    shout: (socket, payload) => socket.broadcast("doubled", payload),
    shoutBack: (socket, payload) => {
      socket.broadcast("doubled", payload);
      return ok(payload);
    },
    bytes: (_, payload) => ok(payload),
    never: () => {},
    crash: () => {
      throw new Error("as it was asked to");
    },
    stop: () => stop("normal"),
  },
  handleInfo: (socket) => socket.push("tick"),
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
});
