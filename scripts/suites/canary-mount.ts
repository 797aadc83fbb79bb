/**
 * The mount of the canaries. Each app under test has it.
 *
 * Runs on: shard.
 */

import { defineChannel, defineSocket, ok, reply } from "../../src/index.ts";

const socket = defineSocket({ connect: () => ok({}), log: false });

const channel = defineChannel(socket, {
  logJoin: false,
  join: ({ shard }) => ok({ shard }),
  handleIn: { echo: (_channel, payload) => reply("ok", payload) },
});

/** Path of the canaries' mount. */
export const CANARY_PATH = "/canary";

/** A socket whose only channel echoes. */
export const canaryMount = { socket, channels: { "canary:*": channel } };
