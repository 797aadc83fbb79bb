/**
 * The app of the soak: rooms in which speakers count, and what else clients do all day.
 *
 * Runs on: shard.
 */

import {
  defineChannel,
  defineEndpoint,
  definePresence,
  defineSocket,
  ok,
  reply,
} from "../../src/index.ts";
import { CANARY_PATH, canaryMount } from "../suites/canary-mount.ts";
import { startProbe, type Probe } from "../suites/probe.ts";

/** Short, so that sessions nobody polls end within the run. */
const WINDOW_MS = 3_000;

const socket = defineSocket({ connect: () => ok({}), log: false });
const presence = definePresence({ keys: "any" });

const room = defineChannel(socket, {
  logJoin: false,
  join: ({ shard }) => ok({ shard }),
  handleIn: {
    say(channel, payload: { readonly n: number }) {
      channel.broadcast("said", payload);
      return reply("ok", {});
    },
    echo: (_channel, payload) => reply("ok", payload),
    exit() {
      process.exit(1);
    },
  },
});

/** Keys that this shard has used. */
let keys = 0;

const lobby = defineChannel(socket, {
  logJoin: false,
  join(channel) {
    channel.send("track");
    return ok();
  },
  handleIn: {
    list: (channel) => reply("ok", { count: Object.keys(presence.list(channel)).length }),
  },
  handleInfo(channel) {
    keys += 1;
    presence.track(channel, `${channel.shard}.${keys}`, {});
  },
});

export default defineEndpoint({
  presences: [presence],
  sockets: {
    "/socket": {
      socket,
      channels: { "room:*": room, "lobby:*": lobby },
      longpoll: { windowMs: WINDOW_MS },
    },
    [CANARY_PATH]: canaryMount,
  },
  start: ({ shard, data }) => startProbe(shard, data as Probe),
});
