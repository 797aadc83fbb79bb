/**
 * The app of the chaos suite: user code at fault, on request.
 *
 * Runs on: shard.
 */

import { setTimeout as delay } from "node:timers/promises";
import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";
import { WHATEVER } from "../../test/support/whatever.ts";
import { CANARY_PATH, canaryMount } from "../suites/canary-mount.ts";

const BLOCK_CELLS = 131_072;

/** Throws a value of `WHATEVER`. */
function throwAt(at: unknown): never {
  // oxlint-disable-next-line typescript/only-throw-error -- what users throw is not always an error
  throw WHATEVER[Number(at)]?.[1];
}

const socket = defineSocket({
  connect({ params }) {
    if (params["throws"] !== undefined) throwAt(params["throws"]);
    const id = params["id"];
    return ok({ id: typeof id === "string" ? id : null });
  },
  id: ({ assigns }) => assigns.id,
});

/** What the app allocates and never frees. */
const kept: unknown[] = [];

const room = defineChannel(socket, {
  logJoin: false,
  join(channel, payload: { readonly throws?: number }) {
    if (payload.throws !== undefined) throwAt(payload.throws);
    return ok({ shard: channel.shard });
  },
  handleIn: {
    echo: (_channel, payload) => reply("ok", payload),
    say(channel, payload: object) {
      channel.broadcast("said", payload);
      return reply("ok");
    },
    throw: (_channel, { at }: { readonly at: number }) => throwAt(at),
    async reject(_channel, { at }: { readonly at: number }) {
      await Promise.resolve();
      throwAt(at);
    },
    outside(_channel, { at }: { readonly at: number }) {
      setTimeout(() => throwAt(at), 1);
      setTimeout(() => void Promise.resolve().then(() => throwAt(at)), 1);
      return reply("ok");
    },
    loop() {
      for (;;) kept[0] = performance.now();
    },
    regex() {
      return reply("ok", { matches: /^(?:a+)+$/.test(`${"a".repeat(50)}b`) });
    },
    wait() {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      return reply("ok");
    },
    block(_channel, { ms }: { readonly ms: number }) {
      const until = performance.now() + ms;
      while (performance.now() < until) kept[0] = until;
      return reply("ok");
    },
    exit() {
      process.exit(3);
    },
    allocate() {
      for (;;) kept.push(Array.from({ length: BLOCK_CELLS }, (_none, at) => at + 0.5));
    },
    print(_channel, { lines }: { readonly lines: number }) {
      for (let line = 0; line < lines; line++) console.log(`line ${line} ${"x".repeat(200)}`);
      return reply("ok");
    },
  },
});

const lasting = defineChannel(socket, {
  logJoin: false,
  history: { size: 100, ttlMs: 60_000 },
  join: () => ok(),
  handleIn: { say: (channel, payload: object) => channel.broadcast("said", payload) },
});

export default defineEndpoint({
  sockets: {
    "/socket": { socket, channels: { "room:*": room, "kept:*": lasting }, longpoll: true },
    [CANARY_PATH]: canaryMount,
  },
  routes: {
    "GET /healthz": () => ({ status: 200, body: "ok" }),
    "GET /throw/:at": ({ params }) => throwAt(params["at"]),
    "GET /reject/:at": async ({ params }) => {
      await Promise.resolve();
      return throwAt(params["at"]);
    },
  },
  async stop() {
    if (process.env["CHAOS_STOP"] === "throws") {
      throwAt(WHATEVER.findIndex(([name]) => name.startsWith("a Proxy")));
    }
    if (process.env["CHAOS_STOP"] === "hangs") await delay(2 ** 30);
  },
});
