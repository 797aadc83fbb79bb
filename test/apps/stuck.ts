/**
 * An app whose handlers hold their thread in every way that the watchdog must cope with.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import { AsyncLocalStorage, createHook } from "node:async_hooks";
import { execFileSync } from "node:child_process";
import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";

const socket = defineSocket({ connect: () => ok({}) });
const kept: unknown[] = [];

// Node.js then checks in which order asynchronous contexts are entered and left.
if (process.env["STUCK_CONTEXTS"] === "1") {
  new AsyncLocalStorage<string>().enterWith("app");
  createHook({ before() {}, after() {} }).enable();
}

/** Ways to hold a thread, for ever unless they take a time. */
const HOLDS: Readonly<Record<string, (ms: number) => unknown>> = {
  loop() {
    let turns = 0;
    while (turns >= 0) turns += 1;
  },
  caught() {
    let turns = 0;
    while (turns >= 0) {
      try {
        while (turns >= 0) turns += 1;
      } catch {
        turns += 1;
      } finally {
        turns += 1;
      }
    }
  },
  regexp: () => /^(a+)+$/.test(`${"a".repeat(64)}b`),
  wait: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  /** Parses for a few seconds; cannot be interrupted meanwhile. */
  parse: (megabytes) => JSON.parse(`[${"{},".repeat(megabytes * 350_000)}0]`),
  /** Waits for a process; cannot be interrupted. */
  program: (ms) => execFileSync(process.execPath, ["-e", `setTimeout(() => {}, ${ms})`]),
  spin(ms) {
    const endMs = performance.now() + ms;
    while (performance.now() < endMs);
  },
  allocate() {
    for (;;) kept.push(Array.from({ length: 100_000 }, () => kept.length + 0.5));
  },
};

function hold(how: unknown, ms: unknown): void {
  HOLDS[String(how)]?.(Number(ms));
}

const room = defineChannel(socket, {
  join: (channel) => ok({ shard: channel.shard }),
  handleIn: {
    echo: (_channel, payload) => reply("ok", payload),
    hold(_channel, { how, ms }: { how?: unknown; ms?: unknown }) {
      hold(how, ms);
      return reply("ok");
    },
    hold_in_timer(_channel, { how, ms }: { how?: unknown; ms?: unknown }) {
      setTimeout(hold, 1, how, ms);
      return reply("ok");
    },
    hold_in_immediate(_channel, { how, ms }: { how?: unknown; ms?: unknown }) {
      // The first of a turn is a special case in Node.js.
      setImmediate(() => {});
      setImmediate(hold, how, ms);
      return reply("ok");
    },
    async hold_later(_channel, { how, ms }: { how?: unknown; ms?: unknown }) {
      await Promise.resolve();
      hold(how, ms);
      return reply("ok");
    },
    exit_shard() {
      setImmediate(() => process.exit(3));
    },
  },
  terminate(channel) {
    if (channel.topic === "room:loud") console.log(`terminate on shard ${channel.shard}`);
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket, channels: { "room:*": room } } },
  routes: { "GET /healthz": (_request, { isReady }) => ({ status: isReady ? 200 : 503 }) },
  stop: (context) => console.log(`stopped shard ${context.shard}`),
});
