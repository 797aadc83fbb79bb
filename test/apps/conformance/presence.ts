/**
 * The `presence` channel of the conformance app: tracks each client that joins under its user id.
 *
 * Runs on: a shard.
 */
import { defineChannel, definePresence, ok, reply } from "../../../src/index.ts";
import { asObject } from "./payload.ts";
import { userSocket } from "./socket.ts";

/** The presences. Accepts any key, as Phoenix does. */
export const presence = definePresence({ keys: "any" });

function keyOf({ assigns }: { readonly assigns: { readonly userId: string | null } }): string {
  return assigns.userId ?? "anon";
}

/** The channel of `presence:*`. */
export const presenceChannel = defineChannel(userSocket, {
  join(socket, payload) {
    const { device = null } = asObject(payload);
    socket.send({ device });
    return ok();
  },

  handleIn: {
    update(socket, payload) {
      presence.update(socket, keyOf(socket), (meta) => ({ ...meta, ...asObject(payload) }));
      return ok();
    },
    untrack(socket) {
      presence.untrack(socket, keyOf(socket));
      return ok();
    },
    list: (socket) => reply("ok", presence.list(socket)),
    crash() {
      throw new Error("the channel was asked to crash");
    },
  },

  handleInfo(socket, message) {
    const { device } = message as { readonly device: unknown };
    presence.track(socket, keyOf(socket), { online_at: Math.floor(Date.now() / 1_000), device });
    socket.push("presence_state", presence.list(socket));
  },
});
