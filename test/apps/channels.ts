/**
 * An app with one channel that does what a test asks for: one event for each feature of channels.
 *
 * Runs on: every shard, which loads it by its URL.
 *
 * Callbacks that have to wait do so at a gate, which another event opens. That way the test determines the
 * order of events, and no timing is involved. Gates belong to the shard.
 */
import { EventEmitter, once } from "node:events";
import {
  defineChannel,
  defineEndpoint,
  defineSocket,
  error,
  ok,
  reply,
  stop,
  type LaterReply,
} from "../../src/index.ts";

interface Locals {
  count: number;
  late: LaterReply | undefined;
  cancel: (() => void) | undefined;
}

const gates = new EventEmitter();

/** Waits until a gate is opened the next time. */
async function passed(gate: string): Promise<void> {
  await once(gates, gate);
}

function textOf(reason: unknown): string {
  if (reason instanceof Error) return `Error: ${reason.message}`;
  return typeof reason === "string" ? reason : JSON.stringify(reason);
}

const userSocket = defineSocket({
  connect: ({ params }) =>
    ok({ userId: params["user_id"] ?? null, color: params["color"] ?? "none" }),
  id: ({ assigns }) => (assigns.userId === null ? null : `users:${assigns.userId}`),
});

/** A room whose topic determines what its join does. */
const room = defineChannel(userSocket, {
  locals: (): Locals => ({ count: 0, late: undefined, cancel: undefined }),

  async join(socket, payload: { gate: string }) {
    switch (socket.topic) {
      case "room:refused":
        return error({ reason: "not today" });
      case "room:throws":
        throw new Error("no join here");
      case "room:nonsense":
        return "nonsense" as never;
      case "room:gated":
        await passed(payload.gate);
        return ok({ passed: payload.gate });
      default:
        socket.send({ push: "welcome" });
        return ok();
    }
  },

  handleIn: {
    echo: (_socket, payload) => reply("ok", payload),
    ignore() {},
    shout: (socket, payload) => socket.broadcast("shout", payload),
    shout_from: (socket, payload) => socket.broadcastFrom("shout", payload),
    shout_ack(socket, payload) {
      socket.broadcast("shout", payload);
      return reply("ok");
    },
    secret_ack(socket, payload) {
      socket.broadcast("secret", payload);
      return reply("ok");
    },
    push_then_throw(socket) {
      socket.push("last words", {});
      throw new Error("thrown after a push");
    },
    async reject() {
      await Promise.resolve();
      throw new Error("rejected");
    },
    nonsense: () => 42 as never,

    async wait(_socket, { gate }: { gate: string }) {
      await passed(gate);
      return reply("ok", { passed: gate });
    },
    open: (_socket, { gate }: { gate: string }) => void gates.emit(gate),
    never: () => new Promise<void>(() => undefined),

    later(socket, { ms, push }: { ms: number; push: string }) {
      socket.locals.cancel = socket.sendAfter(ms, { push });
    },
    cancel: (socket) => socket.locals.cancel?.(),
    keep_ref(socket) {
      socket.locals.late = socket.replyLater();
    },
    answer_kept(socket, payload) {
      socket.locals.late?.reply("ok", payload);
      socket.locals.late?.reply("again", payload);
    },

    subscribe(socket, { topic }: { topic: string }) {
      socket.subscribe(topic);
      return reply("ok");
    },
    unsubscribe(socket, { topic }: { topic: string }) {
      socket.unsubscribe(topic);
      return reply("ok");
    },
    count(socket) {
      socket.locals.count += 1;
      return reply("ok", { count: socket.locals.count });
    },
    paint(socket, { color }: { color: string }) {
      socket.assign({ color });
      return reply("ok");
    },
    color: (socket) => reply("ok", { color: socket.assigns.color }),
    stop: (_socket, { reason }: { reason: string | { shutdown: string } }) => stop(reason),
    stop_reply: (_socket, { reason }: { reason: string }) =>
      stop(reason, reply("ok", { bye: true })),
  },

  intercept: {
    secret(socket, payload) {
      socket.push("secret", { payload, to: socket.assigns.userId });
    },
  },

  handleInfo(socket, message) {
    const told = message as { push?: string; topic?: string; event?: string; payload?: unknown };
    if (told.push !== undefined) socket.push(told.push, {});
    else socket.push("heard", { topic: told.topic, event: told.event, payload: told.payload });
  },

  terminate(socket, reason) {
    if (!socket.topic.startsWith("room:last words")) return;
    socket.push("terminated", { reason: textOf(reason) });
  },
});

/** A channel whose join tries things that are not allowed in a join. */
const early = defineChannel(userSocket, {
  join(socket) {
    const attempts = {
      push: () => socket.push("x", {}),
      broadcast: () => socket.broadcast("x", {}),
    };
    const said = Object.entries(attempts).map(([name, attempt]) => {
      try {
        attempt();
        return [name, "allowed"] as const;
      } catch (cause) {
        return [name, textOf(cause)] as const;
      }
    });
    return ok(Object.fromEntries(said));
  },
});

export default defineEndpoint({
  sockets: {
    "/socket": { socket: userSocket, channels: { "room:*": room, early }, longpoll: true },
  },
  routes: {
    "GET /shard": (_request, { shard }) => ({ status: 200, body: String(shard) }),
  },
});
