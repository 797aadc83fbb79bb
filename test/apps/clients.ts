/**
 * An app for Phoenix clients of every generation: a topic for each outcome of a join, and an event for each
 * kind of answer.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import {
  defineChannel,
  defineEndpoint,
  defineSocket,
  error,
  ok,
  reply,
  stop,
} from "../../src/index.ts";

const userSocket = defineSocket({
  connect({ params, connectInfo }) {
    if (params["refuse"] !== undefined) return error();
    const userId = typeof params["user_id"] === "string" ? params["user_id"] : null;
    // Kept as text, because assigns must be small.
    const told = JSON.stringify({ params, token: connectInfo.authToken ?? null });
    return ok({ userId, told });
  },
  id: ({ assigns }) => (assigns.userId === null ? null : `users:${assigns.userId}`),
});

const room = defineChannel(userSocket, {
  join(socket, payload) {
    switch (socket.topic) {
      case "room:refused":
        return error({ reason: "not today" });
      case "room:throws":
        throw new Error("no join here");
      default:
        return ok({ shard: socket.shard, payload });
    }
  },

  handleIn: {
    told: (socket) => reply("ok", { ...JSON.parse(socket.assigns.told), via: socket.transport }),
    echo: (_socket, payload) => reply("ok", payload),
    fail: (_socket, payload) => reply("error", payload),
    maybe: (_socket, payload) => reply("maybe", payload),
    silent() {},
    size: (_socket, payload: Uint8Array) => reply("ok", { size: payload.byteLength }),
    back: (socket, payload) => socket.push("pushed", payload),
    shout: (socket, payload) => socket.broadcast("shout", payload),
    shout_from: (socket, payload) => socket.broadcastFrom("shout", payload),
    crash() {
      throw new Error("the handler was asked to throw");
    },
    stop: () => stop("normal"),
  },
});

const mount = { socket: userSocket, channels: { "room:*": room } };

export default defineEndpoint({
  sockets: {
    "/socket": { ...mount, longpoll: true },
    "/brief": { ...mount, websocket: { timeoutMs: 1_500 }, longpoll: { windowMs: 200 } },
    "/authed": { ...mount, authToken: true, longpoll: true },
  },
});
