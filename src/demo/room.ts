/**
 * The chat's socket, its rooms and their presence.
 *
 * Runs on: shard.
 */

import { randomUUID } from "node:crypto";

import { defineChannel, definePresence, defineSocket, error, ok } from "../index.ts";
import { checkMessage, checkName, checkRoom } from "./rules.ts";

const PREFIX = "room:";

/** The chat's socket. Anyone may connect; users give their name when they join a room. */
export const chatSocket = defineSocket({ connect: () => ok() });

/** Users by room. Keys are random, because two users may have the same name. */
export const presence = definePresence<{ name: string; shard: number }>();

/** The channel of all rooms. */
export const room = defineChannel(chatSocket, {
  locals: () => ({ name: "", key: randomUUID() as string }),

  join(socket, payload) {
    const roomName = checkRoom(socket.topic.slice(PREFIX.length));
    if ("reason" in roomName) return error(roomName);
    const name = checkName(payload);
    if ("reason" in name) return error(name);
    socket.locals.name = name.text;
    return ok({ shard: socket.shard, shards: socket.context.shards });
  },

  joined(socket) {
    const { locals, shard } = socket;
    presence.track(socket, locals.key, { name: locals.name, shard });
    socket.push("presence_state", presence.list(socket));
    socket.broadcastFrom("entered", { name: locals.name, shard });
  },

  handleIn: {
    say(socket, payload) {
      const message = checkMessage(payload);
      if ("reason" in message) return error(message);
      const { shard, locals } = socket;
      socket.broadcast("said", { name: locals.name, body: message.text, shard, atMs: Date.now() });
      return ok();
    },

    rename(socket, payload) {
      const name = checkName(payload);
      if ("reason" in name) return error(name);
      const { locals, shard } = socket;
      const before = locals.name;
      if (before === name.text) return ok();
      locals.name = name.text;
      presence.update(socket, locals.key, { name: name.text, shard });
      socket.broadcast("renamed", { before, name: name.text });
      return ok();
    },
  },

  terminate(socket) {
    const { name } = socket.locals;
    // The name is empty if the join was refused. The user who left does not get this broadcast.
    if (name !== "") socket.broadcast("left", { name });
  },
});
