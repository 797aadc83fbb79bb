/**
 * The `room` channel of the conformance app: a topic for each outcome of a join, and an event for each kind
 * of answer.
 *
 * Runs on: a shard.
 */
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import { defineChannel, error, ok, reply, stop, type LaterReply } from "../../../src/index.ts";
import { asBytes, asObject, hexAt, numberAt } from "./payload.ts";
import { userSocket } from "./socket.ts";

/** A message that a room sends to itself, at once or later. */
type RoomMessage =
  | { readonly kind: "afterJoin" }
  | { readonly kind: "ackShout"; readonly payload: unknown }
  | { readonly kind: "tick"; readonly payload: unknown }
  | { readonly kind: "lateReply"; readonly ref: LaterReply; readonly payload: unknown };

/** Passes off an invalid value as a result. The library has to detect it at run time. */
function noResult(value: unknown): never {
  return value as never;
}

/** Pushes inside `join`, and returns the text of the resulting error. */
function tryPush(socket: { push(event: string, payload: unknown): void }): string {
  try {
    socket.push("too_early", {});
    return "ok";
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

/** Broadcasts odd numbers and pushes even ones, so that the client can check their order. */
function sendInOrder(
  socket: {
    push(event: string, payload: unknown): void;
    broadcast(event: string, payload: unknown): void;
  },
  count: number,
): void {
  for (let i = 1; i <= count; i += 1) {
    if (i % 2 === 1) socket.broadcast("seq", { i });
    else socket.push("seq", { i });
  }
}

/** The channel of `room:*` and `exact`. */
export const room = defineChannel(userSocket, {
  join(socket, payload) {
    switch (socket.topic) {
      case "room:private":
        return error({ reason: "unauthorized" });
      case "room:reply":
        return ok({ hello: "world" });
      case "room:crash":
        throw new Error("join was asked to throw");
      case "room:exit":
        // JavaScript's closest equivalent of a process that exits: a stop, which a join must not return.
        return noResult(stop("normal"));
      case "room:badreturn":
        return noResult("no result");
      case "room:errstring":
        return error("a string");
      case "room:echo_params":
        return ok({ params: payload });
      case "room:maybe":
        return joinMaybe(asObject(payload));
      case "room:slow":
        return delay(300, ok());
      case "room:push_on_join":
        socket.send({ kind: "afterJoin" } satisfies RoomMessage);
        return ok({ push: tryPush(socket) });
      case "room:info":
        return ok({ ...asObject(JSON.parse(socket.assigns.client)), transport: socket.transport });
      default:
        return ok();
    }
  },

  handleIn: {
    echo: (_socket, payload) => reply("ok", payload),
    echo_error: (_socket, payload) => reply("error", payload),
    echo_custom: (_socket, payload) => reply("maybe", payload),
    ok: () => reply("ok"),
    error: () => reply("error"),
    noreply() {},
    inspect: (_socket, payload) => reply("ok", { inspect: inspect(payload) }),
    ids: (socket) => reply("ok", { topic: socket.topic, join_ref: socket.joinRef, id: socket.id }),
    big: (_socket, payload) => reply("ok", { data: "x".repeat(numberAt(payload, "n")) }),

    binary_echo: (_socket, payload) => reply("ok", asBytes(payload)),
    binary_error: (_socket, payload) => reply("error", asBytes(payload)),
    binary_push: (socket, payload) => socket.push("pushed_bin", asBytes(payload)),
    binary_to_text: (_socket, payload) => reply("ok", { size: asBytes(payload).byteLength }),
    text_to_binary: (_socket, payload) => reply("ok", hexAt(payload, "hex")),

    shout: (socket, payload) => socket.broadcast("shout", payload),
    shout_binary: (socket, payload) => socket.broadcast("shout_binary", asBytes(payload)),
    shout_from: (socket, payload) => socket.broadcastFrom("shout_from", payload),
    shout_ack(socket, payload) {
      socket.broadcast("shout_ack", payload);
      return reply("ok");
    },
    ack_shout(socket, payload) {
      socket.send({ kind: "ackShout", payload } satisfies RoomMessage);
      return reply("ok");
    },
    intercepted: (socket, payload) => socket.broadcast("intercepted", payload),
    push_me: (socket, payload) => socket.push("pushed", payload),
    push_then_reply(socket, payload) {
      socket.push("pushed", payload);
      return reply("ok", payload);
    },
    order(socket, payload) {
      const count = numberAt(payload, "n");
      sendInOrder(socket, count);
      return reply("ok", { done: count });
    },

    async_reply(socket, payload) {
      socket.sendAfter(50, {
        kind: "lateReply",
        ref: socket.replyLater(),
        payload,
      } satisfies RoomMessage);
    },
    double_async_reply(socket, payload) {
      const late: RoomMessage = { kind: "lateReply", ref: socket.replyLater(), payload };
      socket.sendAfter(20, late);
      socket.sendAfter(40, late);
      return reply("ok", { first: true });
    },
    delayed(socket, payload) {
      const { ms = 50 } = asObject(payload);
      socket.sendAfter(Number(ms), { kind: "tick", payload } satisfies RoomMessage);
    },
    async slow(_socket, payload) {
      await delay(200);
      return reply("ok", payload);
    },

    stop: () => stop("normal"),
    stop_reply: (_socket, payload) => stop("normal", reply("ok", payload)),
    stop_shutdown: () => stop("shutdown"),
    stop_shutdown_tuple: () => stop({ shutdown: "going down" }),
    stop_abnormal: () => stop("abnormal"),
    stop_abnormal_reply: (_socket, payload) => stop("abnormal", reply("ok", payload)),
    crash() {
      throw new Error("the handler was asked to throw");
    },
    bad_return: () => noResult("no result"),
  },

  intercept: {
    intercepted(socket, payload) {
      socket.push("intercepted", { ...asObject(payload), receiver: socket.assigns.userId });
    },
  },

  handleInfo(socket, message) {
    const told = message as RoomMessage;
    switch (told.kind) {
      case "afterJoin":
        socket.push("after_join", { n: 1 });
        socket.broadcast("joined", { user: socket.assigns.userId });
        return;
      case "ackShout":
        socket.broadcast("ack_shout", told.payload);
        return;
      case "tick":
        socket.push("tick", { payload: told.payload });
        return;
      case "lateReply":
        told.ref.reply("ok", told.payload);
    }
  },
});

function joinMaybe(
  payload: Record<string, unknown>,
): ReturnType<typeof ok> | ReturnType<typeof error> {
  if (payload["deny"] === true) return error({ reason: "denied" });
  if (payload["crash"] === true) throw new Error("join was asked to throw");
  return ok();
}
