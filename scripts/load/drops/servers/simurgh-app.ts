/**
 * The app under test: topics with a history, and the same without.
 *
 * Runs on: shard.
 */

import { defineChannel, defineEndpoint, defineSocket, ok } from "../../../../src/index.ts";

const socket = defineSocket({ connect: () => ok({}), log: false });

const kept = defineChannel(socket, {
  history: { size: 1_000, ttlMs: 300_000 },
  logJoin: false,
  join: () => ok(),
});

const live = defineChannel(socket, { logJoin: false, join: () => ok() });

const app = defineEndpoint({
  sockets: { "/socket": { socket, channels: { "kept:*": kept, "live:*": live } } },
});

/** The app's type, for its clients. */
export type DropsApp = typeof app;

export default app;
