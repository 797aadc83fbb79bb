/**
 * The `bench` channel of the conformance app: a broadcast and an echo.
 *
 * Runs on: a shard.
 */
import { defineChannel, ok, reply } from "../../../src/index.ts";
import { userSocket } from "./socket.ts";

/** The channel of `bench:*`. */
export const bench = defineChannel(userSocket, {
  join: () => ok(),
  handleIn: {
    b: (socket, payload) => socket.broadcast("b", payload),
    e: (_socket, payload) => reply("ok", payload),
  },
});
