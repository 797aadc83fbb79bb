/**
 * Measures the slab store with a million kept messages in 1, 1 000 and 100 000 topics: overhead and
 * resident memory of a message, appends and reads per second, and the pause of a full garbage
 * collection beside that of an empty store.
 *
 * Runs on: the main thread; each case in a process of its own, one after the other.
 *          Rates are per second of CPU time.
 * Usage:   npm run build && node dist/scripts/micro/history/store.js [bytes of a message]
 */

import { spawnSync } from "node:child_process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { FIRST_OFFSET } from "../../../src/history/offsets.ts";
import { SlabStore } from "../../../src/history/slab-store.ts";
import type { HistoryLimits } from "../../../src/history/store.ts";

const MESSAGES = 1_000_000;
const TOPICS = [0, 1, 1_000, 100_000];
const MAX_BYTES = 8 * 2 ** 30;
const LIMITS: HistoryLimits = { size: MESSAGES, ttlMs: 3_600_000, maxBytes: MAX_BYTES };
const GC_ROUNDS = 15;
const SEEKS = 100_000;
const CHUNK = { messages: 100, bytes: 65_536 };
const NOW_MS = 1_800_000_000_000;

const gc = ((): (() => void) => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
})();

function say(what: string, value: number, unit: string): void {
  const digits = value < 100 ? 2 : 0;
  console.log(`  ${what.padEnd(52)} ${value.toFixed(digits).padStart(11)} ${unit}`);
}

/** Returns the CPU time of this process (ms). Others on the machine disturb it less than the clock. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Measures full collections, which stop the thread for all their time. */
function sayPauses(): void {
  const pausesMs = Array.from({ length: GC_ROUNDS }, () => {
    const startedMs = performance.now();
    gc();
    return performance.now() - startedMs;
  }).toSorted((a, b) => a - b);
  say("full garbage collection, median", pausesMs[GC_ROUNDS >> 1] as number, "ms");
  say("full garbage collection, longest", pausesMs.at(-1) as number, "ms");
}

function perSecond(count: number, startedMs: number): number {
  return (count * 1_000) / (cpuMs() - startedMs);
}

/** Sums up the bytes at the start of messages, so that reading is not optimized away. */
let sum = 0;
function visit(_: number, __: number, bytes: Uint8Array, start: number, length: number): boolean {
  sum += (bytes[start] as number) + (bytes[start + length - 1] as number);
  return true;
}

function readAll(store: SlabStore, topics: readonly string[]): void {
  for (const topic of topics) {
    let after = FIRST_OFFSET - 1;
    for (let isAtHead = false; !isAtHead;) {
      const read = store.read(topic, after, CHUNK, NOW_MS, visit);
      after = read.position;
      ({ isAtHead } = read);
    }
  }
}

function measure(topicCount: number, size: number): void {
  const store = new SlabStore({ maxBytes: MAX_BYTES, seed: 1, idleMs: 3_600_000 });
  const topics = Array.from({ length: topicCount }, (_, at) => `room:${at}`);
  const message = new Uint8Array(size).fill(97);
  if (topicCount === 0) {
    sayPauses();
    return;
  }
  // Warms up the code, and what grows once.
  for (let at = 0; at < 20_000; at += 1) store.append("warm", LIMITS, message, NOW_MS);
  readAll(store, ["warm"]);
  store.clear("warm");
  gc();
  const before = store.bytes;
  const residentBefore = process.memoryUsage().rss;
  let startedMs = cpuMs();
  for (let at = 0; at < MESSAGES; at += 1) {
    store.append(topics[at % topicCount] as string, LIMITS, message, NOW_MS);
  }
  say("appends per second", perSecond(MESSAGES, startedMs), "");
  say("overhead of a message", (store.bytes - before) / MESSAGES - size, "bytes");
  const resident = process.memoryUsage().rss - residentBefore;
  say("resident memory of a message", resident / MESSAGES, "bytes");
  startedMs = cpuMs();
  readAll(store, topics);
  say("messages read per second, in chunks of 100", perSecond(MESSAGES, startedMs), "");
  const perTopic = MESSAGES / topicCount;
  startedMs = cpuMs();
  for (let at = 0; at < SEEKS; at += 1) {
    const after = FIRST_OFFSET + ((at * 7_919) % perTopic) - 1;
    store.read(topics[at % topicCount] as string, after, { messages: 1, bytes: 1 }, NOW_MS, visit);
  }
  say("reads of one message anywhere, per second", perSecond(SEEKS, startedMs), "");
  sayPauses();
  startedMs = cpuMs();
  const removed = store.trim(NOW_MS + LIMITS.ttlMs, Infinity);
  say("messages expired per second", perSecond(removed, startedMs), "");
}

const [, script = "", sizeText = "100", topicsText] = process.argv;
if (topicsText === undefined) {
  console.log(`${MESSAGES} messages of ${sizeText} bytes`);
  for (const count of TOPICS) {
    console.log(count > 0 ? ` ${count} topics` : " an empty store");
    spawnSync(process.execPath, [script, sizeText, String(count)], { stdio: "inherit" });
  }
} else {
  measure(Number(topicsText), Number(sizeText));
  if (!(sum >= 0)) throw new Error("nothing was read");
}
