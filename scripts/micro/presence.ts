/**
 * Measures presences: the cost of tracking for the tracking shard and for a receiving shard, the
 * cost of a list, the time until a new shard has caught up, and the memory of each additional
 * presence.
 *
 * Runs on: one thread that acts as two shards in turn, with real rings between them.
 * Usage:   npm run build && node dist/scripts/micro/presence.js
 *
 * The topics have no subscribers, so no diffs are sent. A diff costs as much as a broadcast.
 */

import { BroadcastRoom } from "../../src/channel/broadcast-room.ts";
import { WaitingBytes } from "../../src/callbacks/waiting-bytes.ts";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { definePresence } from "../../src/index.ts";
import { Logger } from "../../src/log/logger.ts";
import { Counters } from "../../src/memory/counters.ts";
import { defineEndpoint } from "../../src/endpoint/endpoint.ts";
import { resolveOptions } from "../../src/options/resolution.ts";
import { partsOf } from "../../src/presence/answers.ts";
import { packDelta, unpackDelta } from "../../src/presence/gossip.ts";
import { metaOf, PhxRefs } from "../../src/presence/meta.ts";
import { State } from "../../src/presence/state.ts";
import { Owners } from "../../src/presence/tracker.ts";
import { makeNodeMemory } from "../../src/server/memory-plan.ts";
import type { NodeMemory } from "../../src/shard/control.ts";
import { InlineTasks } from "../../src/tasks/inline-tasks.ts";
import { ShardCore } from "../../src/shard/shard-core.ts";

const ROWS = 100_000;
const ROOM_ROWS = 1_000;
const LISTS = 200;
/** A burst that fits in the ring, so that nothing waits for room. */
const BURST = 500;

const presence = definePresence<{ online_at: number; device: string }>();
const options = resolveOptions(
  { shards: 2, secretKeyBase: "measure".repeat(10) },
  {},
  {
    parallelism: () => 2,
    descriptorLimit: () => 1_024,
    memoryLimit: () => 1_073_741_824,
    secretKeyBase: () => "",
    nodeName: () => "node",
  },
);

function makeShard(memory: NodeMemory, shard: number): ShardCore {
  const member = shard + 2;
  const core = new ShardCore({
    start: { memory, options, member, shard, data: undefined, kept: undefined },
    counters: new Counters(memory.counters, member),
    publisher: { charge() {}, publish() {} },
    tasks: new InlineTasks(undefined),
    logger: new Logger("silent"),
    endpoint: defineEndpoint({ sockets: {}, presences: [presence] }),
    waiting: new WaitingBytes(1_048_576, Infinity),
    room: new BroadcastRoom(1_048_576),
    clock: () => 0,
    takesMore: () => true,
    onForwardingRecord() {},
  });
  core.attach();
  core.presences.start();
  return core;
}

function meet(...cores: readonly ShardCore[]): void {
  for (let round = 0; round < 4; round += 1)
    for (const core of cores) core.member.exchange.drainNow();
}

function say(what: string, value: number, unit: string): void {
  console.log(`${what.padEnd(52)} ${value.toFixed(value < 100 ? 2 : 0).padStart(9)} ${unit}`);
}

function perOp(count: number, work: (at: number) => void): number {
  const startMs = performance.now();
  for (let at = 0; at < count; at += 1) work(at);
  return ((performance.now() - startMs) * 1_000) / count;
}

function track(core: ShardCore, at: number, topic = `room:${at % 1_000}`): void {
  presence.track(core.context, topic, `user ${at}`, {
    online_at: 1_795_489_205 + at,
    device: "phone",
  });
}

const gc = ((): (() => void) => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
})();

function heapBytes(): number {
  gc();
  return process.memoryUsage().heapUsed;
}

/** Tracks and untracks in bursts, and lets the other shard receive each burst. */
function measureTracking(one: ShardCore, other: ShardCore): void {
  let [trackUs, untrackUs, hearUs, rounds] = [0, 0, 0, 0];
  for (let first = 0; first < ROWS; first += BURST) {
    trackUs += perOp(BURST, (at) => track(one, first + at));
    hearUs += perOp(1, () => other.member.exchange.drainNow()) / BURST / 2;
    untrackUs += perOp(BURST, (at) => {
      const key = first + at;
      presence.untrack(one.context, `room:${key % 1_000}`, `user ${key}`);
    });
    hearUs += perOp(1, () => other.member.exchange.drainNow()) / BURST / 2;
    rounds += 1;
  }
  say("track, including telling the other thread", trackUs / rounds, "µs");
  say("untrack, including telling the other thread", untrackUs / rounds, "µs");
  say("receive one from another thread", hearUs / rounds, "µs");
}

/** Measures memory, excluding that of channels, topics and keys, which exist before. */
function measureMemory(): [here: number, there: number] {
  const topics = Array.from({ length: 1_000 }, (_, at) => `room:${at}`);
  const keys = Array.from({ length: ROWS }, (_, at) => `user ${at}`);
  const channels = keys.map(() => ({}));
  const refs = new PhxRefs(1);
  const state = new State({ node: "a", member: 2, incarnation: 1 }, options.presenceDeltaSize);
  const owners = new Owners();

  const before = heapBytes();
  for (const [at, key] of keys.entries()) {
    const meta = metaOf({ online_at: 1_795_489_205 + at, device: "phone" }, refs.next());
    const { row } = state.join(topics[at % topics.length] as string, key, meta);
    owners.set(channels[at] as object, row);
  }
  const here = (heapBytes() - before) / ROWS;

  const other = new State({ node: "a", member: 3, incarnation: 1 }, options.presenceDeltaSize);
  const replica = other.add(state.own.ref);
  const beforeOther = heapBytes();
  for (const part of partsOf(state.since(0), 32_768)) {
    const text = JSON.stringify(packDelta(state.own.ref, part, state.clock));
    other.merge(replica, unpackDelta(JSON.parse(text)).delta);
  }
  const there = (heapBytes() - beforeOther) / ROWS;
  // Used here so that the objects are not collected earlier.
  const kept = keys.filter((_, at) => owners.take(channels[at] as object).length === 1);
  if (kept.length !== ROWS || other.get(topics[0] as string, keys[0] as string).length !== 1) {
    throw new Error("presences were lost");
  }
  return [here, there];
}

const memory = makeNodeMemory(options, undefined);
const one = makeShard(memory, 0);
const alone = perOp(ROWS, (at) => {
  track(one, at);
  presence.untrack(one.context, `room:${at % 1_000}`, `user ${at}`);
});
say("track and untrack, on a single shard", alone, "µs");

const other = makeShard(memory, 1);
meet(one, other);
measureTracking(one, other);

const [here, there] = measureMemory();
say("memory of one presence, on the shard of its channel", here, "bytes");
say("memory of one presence, on each other shard", there, "bytes");

const memoryAlone = makeNodeMemory(options, undefined);
const third = makeShard(memoryAlone, 0);
for (let at = 0; at < ROWS; at += 1) track(third, at);
for (let at = 0; at < ROOM_ROWS; at += 1) track(third, ROWS + at, "room:list");
say(
  `list of ${ROOM_ROWS}`,
  perOp(LISTS, () => void presence.list(third.context, "room:list")),
  "µs",
);
const text = perOp(LISTS, () => void JSON.stringify(presence.list(third.context, "room:list")));
say(`list of ${ROOM_ROWS}, as JSON`, text, "µs");

const late = makeShard(memoryAlone, 1);
const startMs = performance.now();
const loop = monitorEventLoopDelay({ resolution: 1 });
loop.enable();
const count = (): number => Object.keys(presence.list(late.context, "room:list")).length;
while (count() < ROOM_ROWS) {
  meet(third, late);
  // An answer continues in the next turn of the loop.
  await setTimeout(1);
}
say(`a new shard receives ${ROWS + ROOM_ROWS} presences`, performance.now() - startMs, "ms");
say("and blocks the loop of both for at most", loop.max / 1_000_000, "ms");
for (const core of [one, other, third, late]) core.stop();
