/**
 * An app with sockets and channels for each policy for slow clients, and with an event that blocks the shard.
 *
 * Runs on: every shard, which loads it by its URL. It forwards its telemetry to the BroadcastChannel that the
 * host names in `data.events`.
 */
import diagnostics from "node:diagnostics_channel";
import { BroadcastChannel } from "node:worker_threads";
import { defineChannel, defineEndpoint, defineSocket, EVENTS, ok, reply } from "../../src/index.ts";
import { holdLoop } from "./hold.ts";

const cutting = defineSocket({ connect: () => ok({}) });
const telling = defineSocket({ connect: () => ok({}), slowClients: "error" });

/** How long a turn of a blocked shard takes. */
const SPIN_MS = 400;
/** Limit after which a blocked shard continues by itself. */
const MOST_SPINS = 60;
let spinsLeft = 0;

function spin(): void {
  holdLoop(SPIN_MS);
  spinsLeft -= 1;
  if (spinsLeft > 0) setImmediate(spin);
}

const room = defineChannel(cutting, {
  join: (socket) => ok({ shard: socket.shard }),
  handleIn: {
    echo: (_socket, payload) => reply("ok", payload),
    /** Within one turn, sends many large broadcasts, then a push, then a small broadcast. */
    burst(socket, { count, bytes }: { count: number; bytes: number }) {
      const pad = "x".repeat(bytes);
      for (let n = 0; n < count; n += 1) socket.broadcast("big", { n, pad });
      socket.push("pushed", {});
      socket.broadcast("small", {});
    },
    spin() {
      spinsLeft = MOST_SPINS;
      setImmediate(spin);
      return reply("ok");
    },
    calm() {
      spinsLeft = 0;
      return reply("ok");
    },
  },
});

const latest = defineChannel(cutting, {
  slow: "conflate",
  join: () => ok(),
  missed: (socket, count) => socket.push("missed", { count }),
});

const last = defineChannel(cutting, {
  slow: "drop-oldest",
  queue: 4,
  join: () => ok(),
  missed: (socket, count) => socket.push("missed", { count }),
});

const channels = { "latest:*": latest, "last:*": last, "*": room };

export default defineEndpoint({
  sockets: {
    "/socket": { socket: cutting, channels },
    "/telling": { socket: telling, channels },
  },
  routes: { "GET /shard": (_request, { shard }) => ({ status: 200, body: String(shard) }) },
  start({ data, shard }) {
    const { events } = data as { readonly events?: string };
    if (events === undefined) return;
    const out = new BroadcastChannel(events);
    out.unref();
    for (const name of Object.keys(EVENTS).filter((one) => /slow|missed|overload/.test(one))) {
      diagnostics.subscribe(`simurgh:${name}`, (event) =>
        out.postMessage({ name, shard, ...(event as object) }),
      );
    }
  },
});
