/**
 * An app with a raw socket, a raw channel, and a mount with a custom serializer.
 *
 * Runs on: every shard, which loads it by its URL. Ends are broadcast on the topic `log`.
 */
import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";
import {
  closeWith,
  defineRawChannel,
  defineRawSocket,
  defineSerializer,
  jsonV2,
} from "../../src/raw.ts";
import type { ExitReason } from "../../src/index.ts";

function textOf(reason: ExitReason): string {
  return typeof reason === "string" ? reason : JSON.stringify(reason);
}

const userSocket = defineSocket({
  connect: ({ params }) => ok({ user: params["user_id"] ?? "nobody" }),
});

const raw = defineRawChannel(userSocket, {
  start(channel, payload) {
    const { refuse } = payload as { readonly refuse?: string };
    if (refuse !== undefined) {
      channel.refuse({ reason: refuse });
      return undefined;
    }
    channel.accept({ user: channel.assigns.user, options: channel.options });
    channel.subscribe(channel.topic);
    return {
      receive(message) {
        switch (message.event) {
          case "phx_leave":
            channel.reply(message, "ok");
            channel.close();
            break;
          case "shout":
            channel.context.broadcast(channel.topic, "shout", message.payload);
            break;
          case "boom":
            throw new Error("boom");
          default:
            channel.reply(message, "ok", message.payload);
        }
      },
      broadcast: ({ event, payload: said }) =>
        channel.push(event, { said, to: channel.assigns.user }),
      drain: () => channel.push("bye", {}),
      end: (reason) => channel.context.broadcast("log", "channel", { reason: textOf(reason) }),
    };
  },
});

const room = defineChannel(userSocket, {
  join: () => ok(),
  handleIn: { shout: (socket, payload) => socket.broadcast("shout", payload) },
});

const echo = defineRawSocket({
  connect: ({ params }) => ok({ user: params["user_id"] ?? "nobody" }),
  id: ({ state }) => `users:${state.user}`,
  init: (socket) => socket.subscribe("news"),
  handleIn(socket, frame) {
    if (frame.data === "bye") return closeWith(4000, "bye");
    if (frame.data === "shard") return reply("ok", String(socket.shard));
    return reply("ok", frame);
  },
  handleInfo(socket, message) {
    socket.push(JSON.stringify(message));
  },
  terminate(socket, reason) {
    socket.context.broadcast("log", "socket", { user: socket.state.user, reason: textOf(reason) });
  },
});

/** A serializer with fields separated by spaces: join_ref, ref, topic, event, and payload as JSON. */
const words = defineSerializer({
  decode(frame) {
    const [joinRef, ref, topic, event, payload = ""] = String(frame).split(" ");
    return { joinRef, ref, topic, event, payload: JSON.parse(payload) };
  },
  encode: ({ joinRef, ref, topic, event, payload }) =>
    [joinRef, ref, topic, event, JSON.stringify(payload)].map(String).join(" "),
});

export default defineEndpoint({
  sockets: {
    "/socket": {
      socket: userSocket,
      channels: { "raw:*": { channel: raw, options: { n: 1 } }, "room:*": room },
      longpoll: true,
      websocket: {
        serializers: [
          { serializer: words, version: "~> 3.0" },
          { serializer: jsonV2, version: "~> 2.0.0" },
        ],
      },
    },
    "/raw": { socket: echo, longpoll: true },
  },
});
