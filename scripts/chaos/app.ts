/**
 * The app of the chaos suite: user code at fault, on request.
 *
 * Runs on: shard.
 */

import { setTimeout as delay } from "node:timers/promises";
import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";
import { CANARY_PATH, canaryMount } from "../suites/canary-mount.ts";
import { throwValue, type ThrownName } from "./thrown-values.ts";

const BLOCK_CELLS = 131_072;

function thrownIn(value: unknown): ThrownName {
  return String(value) as ThrownName;
}

const socket = defineSocket({
  connect({ params }) {
    if (params["throws"] !== undefined) throwValue(thrownIn(params["throws"]));
    const id = params["id"];
    return ok({ id: typeof id === "string" ? id : null });
  },
  id: ({ assigns }) => assigns.id,
});

/** What the app allocates and never frees. */
const kept: unknown[] = [];

const room = defineChannel(socket, {
  logJoin: false,
  join(channel, payload: { readonly throws?: string }) {
    if (payload.throws !== undefined) throwValue(thrownIn(payload.throws));
    return ok({ shard: channel.shard });
  },
  handleIn: {
    echo: (_channel, payload) => reply("ok", payload),
    say(channel, payload: object) {
      channel.broadcast("said", payload);
      return reply("ok");
    },
    throw: (_channel, { name }: { readonly name: string }) => throwValue(thrownIn(name)),
    async reject(_channel, { name }: { readonly name: string }) {
      await Promise.resolve();
      throwValue(thrownIn(name));
    },
    outside(_channel, { name }: { readonly name: string }) {
      setTimeout(() => throwValue(thrownIn(name)), 1);
      setTimeout(() => void Promise.resolve().then(() => throwValue(thrownIn(name))), 1);
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

export default defineEndpoint({
  sockets: {
    "/socket": { socket, channels: { "room:*": room }, longpoll: true },
    [CANARY_PATH]: canaryMount,
  },
  routes: {
    "GET /healthz": () => ({ status: 200, body: "ok" }),
    "GET /throw/:name": ({ params }) => throwValue(thrownIn(params["name"])),
    "GET /reject/:name": async ({ params }) => {
      await Promise.resolve();
      return throwValue(thrownIn(params["name"]));
    },
  },
  async stop() {
    if (process.env["CHAOS_STOP"] === "throws") throwValue("proxy");
    if (process.env["CHAOS_STOP"] === "hangs") await delay(2 ** 30);
  },
});
