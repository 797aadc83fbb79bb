/**
 * Virtual time of the test helpers: how it passes, in which order things happen, and that the process gets
 * its own clocks back afterwards.
 *
 * Runs on: the test's thread.
 */

import assert, { AssertionError } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { afterEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import {
  defineChannel,
  defineEndpoint,
  definePresence,
  defineSocket,
  ok,
  reply,
} from "../../src/index.ts";
import {
  assertCrashed,
  assertPush,
  assertReply,
  closeApp,
  connect,
  join,
  leave,
  refuteBroadcast,
  refutePush,
  refuteReply,
  subscribeAndJoin,
  testApp,
  type StartedApp,
  type TestChannel,
} from "../../src/testing/index.ts";

const HOUR_MS = 3_600_000;
/** For an answer of another thread, in real time. */
const PATIENCE_MS = 20_000;
const FOREVER = new Promise<never>(() => {});
const START_MS = Date.UTC(2026, 0, 1);
const wall = performance.now.bind(performance);
const bytes = promisify(randomBytes);

const presence = definePresence({
  fetchTimeoutMs: 2_000,
  fetch: async () => FOREVER,
});

const userSocket = defineSocket({ connect: ({ params }) => ok({ name: params["name"] ?? "ann" }) });

const room = defineChannel(userSocket, {
  async join(socket, { late }: { late?: number }) {
    if (late !== undefined) await sleep(late);
    if (socket.topic === "room:endless") await FOREVER;
    return ok();
  },
  handleIn: {
    after: (socket, { ms, n }: { ms: number; n: unknown }) => void socket.sendAfter(ms, n),
    every(socket, { ms }: { ms: number }) {
      let n = 0;
      const timer = setInterval(() => socket.send((n += 1)), ms);
      Object.assign(socket.locals, { timer });
    },
    enough: (socket) => clearInterval(socket.locals["timer"] as NodeJS.Timeout),
    now: () => reply("ok", { date: new Date(), now: Date.now(), ticks: performance.now() }),
    endless: async () => FOREVER,
    async sleepy(_socket, { ms }: { ms: number }) {
      await sleep(ms);
      return reply("ok", { now: Date.now() });
    },
    async deep(_socket, { turns }: { turns: number }) {
      for (let turn = 0; turn < turns; turn += 1) {
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      }
      return reply("ok", { turns });
    },
    random: async () => reply("ok", { length: (await bytes(8)).length }),
    track: (socket) => void presence.track(socket, "ann", {}),
  },
  handleInfo: (socket, n) => socket.push("info", { n, at: Date.now() - START_MS }),
  async terminate(socket) {
    if (socket.topic === "room:slow") await sleep(500);
  },
});

const endpoint = defineEndpoint({
  presences: [presence],
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room } } },
});

async function started(): Promise<StartedApp> {
  return testApp(endpoint, { time: "virtual", nowMs: START_MS });
}

async function joined(app: StartedApp, topic = "room:1"): Promise<TestChannel> {
  return (await subscribeAndJoin(await app.connect(), topic)).channel;
}

async function messageOf(assertion: Promise<unknown>): Promise<string> {
  try {
    await assertion;
  } catch (failure) {
    assert.ok(failure instanceof AssertionError, String(failure));
    return failure.message;
  }
  return assert.fail("the assertion held");
}

/** Settles when a real timer of a millisecond fires. */
async function realTimer(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 1);
  });
}

/** Runs a function, and asserts that no real wait was part of it. */
async function quickly(what: () => Promise<void>): Promise<void> {
  const startMs = wall();
  await what();
  const tookMs = wall() - startMs;
  assert.ok(tookMs < 5_000, `${tookMs} ms`);
}

afterEach(() => closeApp(endpoint));

describe("virtual time", () => {
  it("stands still until it is moved, including the clocks", async () => {
    const app = await started();
    const channel = await joined(app);
    const first = (await channel.push("now").reply).response as { ticks: number };
    assert.deepEqual(first, {
      date: "2026-01-01T00:00:00.000Z",
      now: START_MS,
      ticks: first.ticks,
    });
    await app.advance(1_500);
    assert.deepEqual((await channel.push("now").reply).response, {
      date: "2026-01-01T00:00:01.500Z",
      now: START_MS + 1_500,
      ticks: first.ticks + 1_500,
    });
    assert.equal(app.nowMs, START_MS + 1_500);
  });

  it("fires timers in order, each when it is due and not before", async () => {
    const app = await started();
    const channel = await joined(app);
    channel.push("after", { ms: 60_000, n: "a minute" });
    channel.push("after", { ms: 10, n: "first" });
    channel.push("after", { ms: 10, n: "second" });
    await app.advance(59_999);
    const pushed = (): unknown[] => channel.socket.inbox.all.map(({ payload }) => payload);
    const early = [
      { n: "first", at: 10 },
      { n: "second", at: 10 },
    ];
    assert.deepEqual(pushed(), early);
    await app.advance(1);
    assert.deepEqual(pushed(), [...early, { n: "a minute", at: 60_000 }]);
  });

  it("settles everything that a timer causes before the next one fires", async () => {
    const app = await started();
    const channel = await joined(app);
    const seen: string[] = [];
    setTimeout(() => seen.push("second"), 11);
    setTimeout(() => {
      seen.push("first");
      process.nextTick(() => seen.push("tick"));
      void Promise.resolve().then(() => setImmediate(() => setImmediate(() => seen.push("late"))));
      setTimeout(() => seen.push("set by the first"), 0);
    }, 10);
    await app.advance(20);
    assert.deepEqual(seen, ["first", "tick", "late", "second", "set by the first"]);
    const push = channel.push("deep", { turns: 50 });
    await app.advance(0);
    assert.equal(push.replies.all.length, 1);
  });

  it("lets an hour pass in no time", async () => {
    await quickly(async () => {
      const app = await started();
      const channel = await joined(app);
      channel.push("every", { ms: 60_000 });
      await app.advance(HOUR_MS);
      assert.equal(channel.socket.inbox.all.length, 60);
      channel.push("enough");
      await app.advance(HOUR_MS);
      assert.equal(channel.socket.inbox.all.length, 60);
    });
  });

  it("passes during an assertion with a timeout, until its message arrives", async () => {
    await quickly(async () => {
      const app = await started();
      const channel = await joined(app);
      channel.push("after", { ms: 60_000, n: 1 });
      await assertPush(channel, "info", { n: 1 }, { timeoutMs: HOUR_MS });
      assert.equal(app.nowMs, START_MS + 60_000);
      await assertReply(channel.push("sleepy", { ms: 500 }), "ok", undefined, { timeoutMs: 500 });
      assert.equal(app.nowMs, START_MS + 60_500);
    });
  });

  it("does not pass during an assertion without a timeout, which fails without it", async () => {
    const app = await started();
    const channel = await joined(app);
    channel.push("after", { ms: 10, n: 1 });
    const message = await messageOf(assertPush(channel, "info"));
    assert.match(message, /^"info" must arrive on room:1 within 0 \(ms\) of virtual time\n/);
    assert.match(
      await messageOf(assertPush(channel, "info", undefined, { timeoutMs: 9 })),
      /within 9 \(ms\) of virtual time/,
    );
    await assertPush(channel, "info", undefined, { timeoutMs: 1 });
  });

  it("passes during a refutation with a timeout, without any real time", async () => {
    await quickly(async () => {
      const app = await started();
      const channel = await joined(app);
      const push = channel.push("after", { ms: HOUR_MS + 1, n: 1 });
      for (let times = 0; times < 1_000; times += 1) await refutePush(channel, "info");
      await refuteReply(push, "ok");
      await refuteBroadcast(channel, "said");
      assert.equal(app.nowMs, START_MS);
      await refutePush(channel, "info", undefined, { timeoutMs: HOUR_MS });
      assert.equal(app.nowMs, START_MS + HOUR_MS);
      assert.match(
        await messageOf(refutePush(channel, "info", undefined, { timeoutMs: 1 })),
        /^"info" must not arrive on room:1, got \{ n: 1, at: 3600001 \}/,
      );
    });
  });

  it("waits in real time for other threads", async () => {
    const app = await started();
    const socket = await app.connect({ timeoutMs: PATIENCE_MS });
    const { channel } = await subscribeAndJoin(socket, "room:1");
    await assertReply(channel.push("random"), "ok", { length: 8 });
  });

  it("moves for several callers, one after the other", async () => {
    const app = await started();
    const channel = await joined(app);
    channel.push("after", { ms: 10, n: 1 });
    await Promise.all([
      app.advance(5),
      assertPush(channel, "info", { n: 1, at: 10 }, { timeoutMs: 5 }),
      app.advance(7),
    ]);
    assert.equal(app.nowMs, START_MS + 17);
  });

  it("lets an asynchronous join or leave finish", async () => {
    const app = await started();
    const socket = await app.connect();
    const joining = join(socket, "room:slow", { late: 30_000 });
    await app.advance(30_000);
    const { reply: answer, channel } = await joining;
    assert.equal(answer.status, "ok");
    const leaving = leave(channel);
    await app.advance(500);
    assert.equal((await leaving).status, "ok");
    assert.equal(channel.hasEnded, true);
  });

  it("ends a handler or a join that exceeds the server's time limit", async () => {
    const app = await started();
    const channel = await joined(app);
    channel.push("endless");
    await app.advance(59_000);
    await refutePush(channel, "phx_error");
    await app.advance(2_000);
    await assertCrashed(channel, { reason: "handler timeout" });

    const joining = join(channel.socket, "room:endless");
    await app.advance(60_000);
    assert.deepEqual((await joining).reply, {
      status: "error",
      response: { reason: "join timeout" },
    });
  });

  it("lets a fetch of a presence time out", async () => {
    const app = await started();
    const channel = await joined(app);
    channel.push("track");
    await app.advance(1_999);
    await refutePush(channel, "presence_diff");
    await app.advance(1);
    await assertPush(channel, "presence_diff", { joins: { ann: {} } });
  });

  it("passes during the close of the app, as long as its channels take", async () => {
    await quickly(async () => {
      const app = await started();
      await joined(app, "room:slow");
      await app.close();
      assert.ok(Math.abs(Date.now() - START_MS) > 1_000);
    });
  });

  it("belongs to one app at a time, which has not been started", async () => {
    const app = await started();
    const other = defineEndpoint({ sockets: endpoint.sockets });
    await assert.rejects(testApp(other, { time: "virtual" }), {
      code: "SIM_ERR_OPTION_INVALID",
      message: "one app at a time must have virtual time, got a second: call closeApp first",
    });
    await assert.rejects(testApp(endpoint), {
      code: "SIM_ERR_OPTION_INVALID",
      message: /^app must not run yet, got one that runs: call closeApp first$/,
    });
    await assert.rejects(app.advance(-1), {
      message: "durationMs must be a finite number from 0 (ms), got -1",
    });
    await closeApp(endpoint);
    await using real = await testApp(endpoint);
    await assert.rejects(real.advance(1), { message: /to advance it, got real time$/ });
  });

  it("is removed if the app does not start", async () => {
    const failing = defineEndpoint({
      sockets: endpoint.sockets,
      start() {
        throw new Error("not yet");
      },
    });
    const clock = Date;
    await assert.rejects(testApp(failing, { time: "virtual" }), { message: "not yet" });
    assert.equal(Date, clock);
  });
});

describe("the process's clocks and timers", () => {
  const names = [
    "setTimeout",
    "setInterval",
    "setImmediate",
    "clearTimeout",
    "clearInterval",
    "clearImmediate",
    "Date",
  ] as const;

  it("are restored when the app has ended", async () => {
    const before = names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name));
    const sleeper = sleep;
    await started();
    assert.notEqual(sleep, sleeper);
    await closeApp(endpoint);
    assert.deepEqual(
      names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name)),
      before,
    );
    assert.equal(sleep, sleeper);
    assert.equal(Object.hasOwn(performance, "now"), false);
    await realTimer();
  });

  it("have the signatures of Node.js under virtual time", async () => {
    const app = await started();
    const seen: unknown[] = [];
    const timer = setTimeout((...args) => seen.push(args), 5, "with", "arguments");
    assert.deepEqual([timer.hasRef(), timer.unref().hasRef()], [true, false]);
    await app.advance(4);
    timer.refresh();
    await app.advance(4);
    assert.equal(seen.length, 0);
    await app.advance(1);
    assert.deepEqual(seen.splice(0), [["with", "arguments"]]);

    const cleared = setTimeout(() => seen.push("cleared"), 5);
    clearTimeout(Number(cleared));
    clearTimeout(undefined);
    clearTimeout(timer);
    const immediate = setImmediate(() => seen.push("cleared"));
    clearImmediate(immediate);
    const controller = new AbortController();
    const aborted = assert.rejects(sleep(5, undefined, { signal: controller.signal }), {
      name: "AbortError",
    });
    controller.abort();
    await aborted;
    void promisify(setTimeout)(5, "promised").then((value) => seen.push(value));
    await app.advance(5);
    assert.deepEqual(seen, ["promised"]);
    assert.equal(new Date(0).getTime(), 0);
    assert.ok(new Date() instanceof Date);
    assert.equal(Date(), new Date().toString());
  });

  it("clear earlier timers, and fire none afterwards", async () => {
    const before = setTimeout(() => assert.fail("it was cleared"), 1);
    const app = await started();
    clearTimeout(before);
    setTimeout(() => assert.fail("its time has ended"), 1);
    await app.close();
    // Both of the above are as long as this one, and would fire before it.
    await realTimer();
  });
});

describe("an app with real time", () => {
  it("may be started explicitly, and waits in real time", async () => {
    const app = await testApp(endpoint, { data: 7 });
    const socket = await connect(endpoint);
    assert.equal(socket.context.data, 7);
    const channel = await joined(app);
    channel.push("after", { ms: 5, n: 1 });
    await assertPush(channel, "info", { n: 1 }, { timeoutMs: 5_000 });
  });
});
