/**
 * The `history` channel of the conformance app: `bench` with a history.
 *
 * Runs on: a shard.
 */
import { defineChannel, ok, reply } from "../../../src/index.ts";
import { userSocket } from "./socket.ts";

/** The channel of `history:*`. */
export const history = defineChannel(userSocket, {
  history: { size: 1_000, ttlMs: 300_000, ephemeral: ["typing"] },
  join: () => ok(),
  handleIn: {
    b: (socket, payload) => socket.broadcast("b", payload),
    e: (_socket, payload) => reply("ok", payload),
  },
});
