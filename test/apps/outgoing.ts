/**
 * An app whose channel declares its outgoing events with a JSON Schema.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import { defineChannel, defineEndpoint, defineSocket, ok } from "../../src/index.ts";

const socket = defineSocket({ connect: () => ok({}) });
const room = defineChannel(socket, {
  out: {
    said: {
      type: "object",
      properties: { name: { type: "string" } },
      required: ["name"],
      additionalProperties: false,
    },
  },
  join: () => ok(),
});

export default defineEndpoint({ sockets: { "/socket": { socket, channels: { "room:*": room } } } });
