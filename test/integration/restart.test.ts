/**
 * A shard is restarted while the server serves: what its clients see, and that others see nothing.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
 * Slow: starts and drains many shards, and blocks one for seconds.
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";

import { serve } from "../../src/index.ts";
import { AppFile, chatApp } from "../support/app-file.ts";
import { isPortable, noSecondShard, noTurns, openedInTurn } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { SECRET_KEY_BASE, type Server } from "../support/server.ts";
import { Talker } from "../support/talker.ts";

const DEADLINE_MS = 20_000;
/** Batches at once, and the next one only when it is hurried. */
const SLOWLY = { drainIntervalMs: 60_000, drainLimitMs: 3_600_000, drainJitterPercent: 0 };

let app: AppFile;
let server: Server;
let talkers: Talker[] = [];

async function start(options: Partial<Parameters<typeof serve>[0]> = {}): Promise<Server> {
  server = await serve({
    app: app.path,
    host: "127.0.0.1",
    port: 0,
    shards: 2,
    secretKeyBase: SECRET_KEY_BASE,
    logLevel: "silent",
    ...options,
  });
  return server;
}

async function join(name: string, fillerBytes = 0, topic = "room:1"): Promise<Talker> {
  const talker = await Talker.join(server.port, topic, name, fillerBytes);
  talkers.push(talker);
  return talker;
}

/** Joins so many talkers, on the shards in turn. */
async function joinMany(count: number): Promise<Talker[]> {
  const joined = await openedInTurn(count, {
    server,
    open: async (at) => Talker.join(server.port, "room:1", `t${at}`, 0),
    shardOf: (talker) => talker.joined.shard,
    close: (talker) => talker.cut(),
  });
  talkers.push(...joined);
  return joined;
}

/** Joins talkers until a shard has one of them. */
async function joinOn(shard: number): Promise<void> {
  for (let at = 0; (await join(`on ${shard}: ${at}`)).joined.shard !== shard; at += 1);
}

/** What the app broadcasts on the topic `log`. */
function readLog(): { readonly event: string; readonly payload: unknown }[] {
  const log: { event: string; payload: unknown }[] = [];
  server.subscribe("log", ({ event, payload }) => void log.push({ event, payload }));
  return log;
}

async function restarted(shard: number): ReturnType<Server["restartShard"]> {
  return within(server.restartShard(shard), `the restart of shard ${shard}`, DEADLINE_MS);
}

/** Returns the talkers that this shard has or had. */
function ofShard(shard: number): Talker[] {
  return talkers.filter(({ joined }) => joined.shard === shard);
}

/** Reports whether a talker has received nearly all that it sent. One that floods its shard would be cut. */
function hasHeardItself({ name, said, heard }: Talker): boolean {
  return said - (heard.get(name) ?? 0) < 500;
}

/** Lets all talkers send in turns until something is done. */
async function talkUntil(done: Promise<unknown>): Promise<void> {
  let isDone = false;
  const end = done.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    for (const talker of talkers) if (hasHeardItself(talker)) talker.say();
    await setImmediate();
  }
  await end;
}

describe("A shard that is restarted", { skip: noSecondShard }, () => {
  beforeEach(() => {
    app = new AppFile(chatApp(1));
    talkers = [];
  });
  afterEach(async () => {
    for (const talker of talkers) talker.cut();
    await server.closeNow();
    app.remove();
  });

  it("closes its clients with 1012, and they reconnect to the new code", async () => {
    await start();
    const before = await joinMany(8);
    const log = readLog();
    const drained = ofShard(0);
    assert.equal(drained.length, 4);
    app.write(chatApp(2));
    const closed = await restarted(0);
    assert.deepEqual(closed, { shard: 0, connections: 4, channels: 4 });
    const codes = await within(
      Promise.all(drained.map(async (talker) => talker.closed)),
      "the closes",
    );
    assert.deepEqual(codes, [1012, 1012, 1012, 1012]);
    const after = await Promise.all(drained.map(async ({ name }) => join(`${name} again`)));
    const versions = new Map(after.map(({ joined }) => [joined.shard, joined.version]));
    assert.equal(versions.get(0), 2, "nobody came back to the new thread");
    assert.notEqual(versions.get(1), 2);
    for (const talker of before) assert.equal(talker.isOpen, talker.joined.shard === 1);
    const terminated = { version: 1, reason: { shutdown: "draining" } };
    assert.deepEqual(
      log.filter(({ event }) => event === "terminated").map(({ payload }) => payload),
      [terminated, terminated, terminated, terminated],
    );
    assert.deepEqual(log.at(-1), { event: "stopped", payload: { version: 1, shard: 0 } });
  });

  it("neither loses nor repeats broadcasts meanwhile", async () => {
    await start({ shards: 3 });
    await joinMany(9);
    const staying = talkers.filter(({ joined }) => joined.shard !== 1);
    await talkUntil(restarted(1));
    for (const speaker of talkers) {
      // The last messages of a drained talker may not have been read; what one received of them, all did.
      const isStaying = staying.includes(speaker);
      const last = isStaying
        ? speaker.said
        : Math.max(...staying.map(({ heard }) => heard.get(speaker.name) ?? 0));
      for (const listener of staying) await listener.hears(speaker.name, last);
      for (const listener of staying) {
        assert.equal(listener.heard.get(speaker.name), last, `${listener.name} ${speaker.name}`);
        assert.equal(listener.first.get(speaker.name), 1);
      }
    }
    assert.deepEqual(
      staying.flatMap(({ wrong }) => wrong),
      [],
    );
    assert.ok(staying.every(({ isOpen }) => isOpen));
  });

  it("ends only when its last broadcasts are in the rings, however large", async () => {
    // Larger than the ring, so only a part of it can be sent in the turn of the broadcast.
    const filler = `"x".repeat(200_000)`;
    const words = `context.broadcast("room:1", "shout", { from: "app", n: 1, filler: ${filler} })`;
    app.write(chatApp(1, `stop(context) { ${words}; },`));
    await start({ ringBytes: 4_096 });
    await joinMany(4);
    const staying = ofShard(1);
    await restarted(0);
    for (const talker of staying) await talker.hears("app", 1);
    assert.deepEqual(
      staying.flatMap(({ wrong }) => wrong),
      [],
    );
  });

  it("gives no two connections the same number", async () => {
    await start({ drainBatch: 1, ...SLOWLY });
    await joinMany(6);
    const before = await server.sockets();
    const restart = restarted(0);
    await Promise.race(ofShard(0).map(async ({ closed }) => closed));
    // The old thread has two left, and the new one has some.
    await joinOn(0);
    const late = talkers.length - 6;
    const during = await server.sockets();
    const numbers = during.map(({ connection }) => connection);
    assert.equal(new Set(numbers).size, 5 + late);
    for (const { connection, shard } of during) assert.equal(connection % 2, shard);
    const old = before.map(({ connection }) => connection);
    const ofZero = during.filter(({ shard }) => shard === 0);
    const fresh = ofZero.filter(({ connection }) => !old.includes(connection));
    assert.equal(ofZero.length - fresh.length, 2);
    assert.ok(fresh.length > 0 && fresh.every(({ connection }) => connection > 2 ** 32));
    const { shards: stats } = server.stats();
    assert.equal(stats[0]?.connections, ofZero.length, "both threads of shard 0 are counted");
    await server.closeNow();
    await restart;
  });

  it("drains in batches with pauses between them", async () => {
    await start({ drainBatch: 2, ...SLOWLY });
    await joinMany(10);
    const drained = ofShard(0);
    const restart = restarted(0);
    await new Promise<void>((resolve) => {
      let closes = 0;
      for (const { closed } of drained) void closed.then(() => (closes += 1) === 2 && resolve());
    });
    // The others are served as before.
    const left = drained.filter(({ isOpen }) => isOpen);
    for (const talker of left) talker.say();
    for (const talker of left) await talker.hears(left[0]?.name ?? "", 1);
    assert.equal(drained.filter(({ isOpen }) => isOpen).length, 3);
    await server.closeNow();
    await restart;
  });

  it("continues unchanged if the new module cannot be loaded", async () => {
    await start();
    const [talker] = await joinMany(4);
    app.write("export default 1 +;");
    await assert.rejects(restarted(0), { code: "SIM_ERR_APP_MODULE", message: /syntax/ });
    app.write(`setInterval(() => {}, 1e6); throw new Error("no such database");`);
    await assert.rejects(restarted(0), { code: "SIM_ERR_APP_MODULE", message: /no such database/ });
    app.write(chatApp(2, `start() { throw new Error("start failed"); },`));
    await assert.rejects(restarted(0), { message: "start failed" });
    for (const one of talkers) one.say();
    for (const one of talkers) await talker?.hears(one.name, 1);
    assert.ok(talkers.every(({ isOpen }) => isOpen));
    app.write(chatApp(3));
    assert.equal((await restarted(0)).connections, 2);
  });

  it("keeps the totals of its old threads", async () => {
    await start();
    await joinMany(2);
    const framesOf = (): number => server.stats().shards[0]?.framesIn ?? -1;
    const joins = framesOf();
    for (const talker of talkers) talker.say();
    for (const talker of talkers) await talker.hears("t0", 1);
    const [frames, total] = [framesOf(), server.stats().total.framesIn];
    assert.equal(frames, joins + 1);
    await restarted(0);
    assert.equal(framesOf(), frames);
    assert.equal(server.stats().total.framesIn, total);
    assert.equal(server.stats().shards[0]?.connections, 0);
  });

  it("is restarted only once at a time", async () => {
    await start();
    const order: string[] = [];
    await Promise.all(
      [0, 1, 0].map(async (shard, at) => {
        await restarted(shard);
        order.push(`${at}: ${shard}`);
      }),
    );
    assert.deepEqual(order, ["0: 0", "1: 1", "2: 0"]);
    assert.equal((await join("after all")).joined.version, 1);
  });

  it("may die in its own drain", async () => {
    await start({ drainBatch: 1, ...SLOWLY });
    await joinMany(8);
    const restart = restarted(0);
    await Promise.race(ofShard(0).map(async ({ closed }) => closed));
    ofShard(0)
      .find(({ isOpen }) => isOpen)
      ?.push("exit_soon", {});
    assert.equal((await restart).connections, 4);
    await joinOn(0);
    for (const talker of talkers) talker.cut();
    await Promise.all(talkers.map(async ({ closed }) => closed));
    // Its number is free, because this has a spare one.
    assert.equal((await restarted(1)).shard, 1);
  });

  it("is replaced once if it dies while its new thread starts", async () => {
    const gate = app.writeBeside("gate", "");
    await start();
    await joinMany(2);
    const [talker] = ofShard(0);
    app.write(`import { existsSync } from "node:fs";
      ${chatApp(
        2,
        `async start() {
        while (existsSync(${JSON.stringify(gate)})) await new Promise((go) => setTimeout(go, 10));
      },`,
      )}`);
    const restart = restarted(0);
    talker?.push("exit_soon", {});
    await talker?.closed;
    app.openGate("gate");
    assert.deepEqual(await restart, { shard: 0, connections: 0, channels: 0 });
    const before = talkers.length;
    await joinOn(0);
    await joinOn(1);
    assert.equal((await server.sockets()).length, 1 + talkers.length - before);
  });

  it("is not restarted once the server closes, and does not delay the close", async () => {
    await start({ drainBatch: 1, ...SLOWLY });
    await joinMany(4);
    const [restart, next] = [server.restartShard(0), server.restartShard(1)];
    const refused = assert.rejects(next, { code: "SIM_ERR_SERVER_CLOSED" });
    const drained = ofShard(0);
    await Promise.race(drained.map(async ({ closed }) => closed));
    // It drains at the server's pace now, not at the restart's.
    void server.drain({ drainBatch: 1_000 });
    await within(server.close(), "the end of the server", DEADLINE_MS);
    await refused;
    assert.equal((await restart).connections, 2);
    await assert.rejects(server.restartShard(0), { code: "SIM_ERR_SERVER_CLOSED" });
    assert.deepEqual(
      await Promise.all(talkers.map(async ({ closed }) => closed)),
      [1012, 1012, 1012, 1012],
    );
  });

  it("is closed with the server while its new thread starts", async () => {
    await start();
    await joinMany(2);
    app.write(`await new Promise((resolve) => setTimeout(resolve, 1e6));\n${chatApp(2)}`);
    const refused = assert.rejects(server.restartShard(0), { code: "SIM_ERR_SERVER_CLOSED" });
    await server.close();
    await within(refused, "the end of the restart");
  });

  it("must exist", async () => {
    await start();
    for (const shard of [-1, 2, 0.5]) {
      await assert.rejects(server.restartShard(shard), {
        code: "SIM_ERR_OPTION_INVALID",
        message: `shard must be an integer from 0 to 1 (shard), got ${shard}`,
      });
    }
  });

  it("with a blocked loop has its callback ended, and the new one serves", async () => {
    await start({ shutdownMs: 500, drainMs: 50, drainIntervalMs: 0 });
    await joinMany(2);
    const [talker] = ofShard(0);
    talker?.push("spin", { ms: 600_000 });
    assert.equal((await restarted(0)).connections, 1);
    assert.equal(await talker?.closed, 1012);
    await joinOn(0);
  });

  it("with code that cannot be interrupted is left alone, and the new one serves", async () => {
    await start({ shutdownMs: 500, drainMs: 50, drainIntervalMs: 0 });
    await joinMany(2);
    const [talker] = ofShard(0);
    talker?.push("run", { ms: 6_000 });
    await assert.rejects(restarted(0), { code: "SIM_ERR_SHARD_BUSY", message: /^shard 0 must/ });
    // With the portable engine, the old thread has its share of the connections until its loop turns.
    if (!isPortable(server)) await joinOn(0);
    // Once it is no longer blocked, it ends, and its number is free.
    await talker?.closed;
    assert.equal((await restarted(1)).shard, 1);
  });

  it("gets two turns of the rotation until it has its share", { skip: noTurns }, async () => {
    await start({ shards: 3 });
    await joinMany(30);
    await restarted(0);
    const back = await Promise.all(Array.from({ length: 8 }, async (_, at) => join(`b${at}`)));
    const count = back.filter(({ joined }) => joined.shard === 0).length;
    assert.equal(count, 4, "half of the turns are two of four");
  });
});

describe("A shard that ends with records unsent", { skip: noSecondShard }, () => {
  beforeEach(() => {
    app = new AppFile(chatApp(1));
    talkers = [];
  });
  afterEach(async () => {
    for (const talker of talkers) talker.cut();
    await server.close();
    app.remove();
  });

  it("has the channels of all others told that they missed broadcasts", async () => {
    await start({ ringBytes: 4_096, maxFrameBytes: 5_000_000 });
    await joinMany(2);
    const [dying] = ofShard(0);
    const [other] = ofShard(1);
    assert.ok(dying && other);
    // So much larger than the ring that the sender stops waiting before the other has read it.
    dying.push("exit_after_shout", { from: "x", n: 1, filler: "x".repeat(4_000_000) });
    await other.until(() => other.wrong.length > 0, "phx_error");
    assert.deepEqual(other.wrong, ['phx_error {"reason":"missed broadcasts"}']);
  });
});
