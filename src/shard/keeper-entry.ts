/**
 * Entry point of a keeper's thread: creates the store, starts the keeper, handles messages from main.
 *
 * Runs on: keeper.
 */

import { randomInt } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";

import { reportOf } from "../error-report.ts";
import { Keeper } from "../history/keeper.ts";
import { SlabStore } from "../history/slab-store.ts";
import { watchBuffers } from "../memory/buffer-watch.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { Counters } from "../memory/counters.ts";
import { Life } from "../memory/life.ts";
import { topicHash } from "../memory/topic-hash.ts";
import { captureOutput } from "../output/captured-output.ts";
import { OutputQueue } from "../output/output-queue.ts";
import { makeQueueLogger } from "../output/queue-logger.ts";
import { GAP_SLOT } from "../pubsub/gap.ts";
import { answerLimitsOf } from "../pubsub/keeping.ts";
import { KeptTopics } from "../pubsub/kept-topics.ts";
import { Member } from "../pubsub/member.ts";
import type { KeeperStart, MainMessage, MemberMessage } from "./control.ts";

/** Time after which an empty topic that nobody uses is forgotten, with its epoch. */
const IDLE_MS = 3_600_000;
/** Part of the memory that keys of publishes may take. */
const KEY_SHARE = 1 / 8;

const { memory, output, options, member: number, kept, isReplacement } = workerData as KeeperStart;
const counters = new Counters(memory.counters, number);
const queue = new OutputQueue(output, number, counters);
const logger = makeQueueLogger(queue, options);
const member = new Member({ memory, member: number, counters, logger, options });
const { index, hashSeed, exchange } = member;

captureOutput(queue);
process.on("uncaughtException", (error) => {
  counters.add(COUNTER.uncaught);
  logger.log("uncaught", { thread: "history", err: error });
});
// A keeper has no engine: main does not need to wait for it before the process exits.
new Life(memory.life).close(number);

try {
  const maxBytes = Math.floor(options.historyBytes / options.historyThreads);
  const keeper = new Keeper({
    post: exchange,
    hashSeed,
    slotOf: (hash) => index.slotOf(hash),
    kept: new KeptTopics(kept),
    store: new SlabStore({
      maxBytes,
      seed: randomInt(-0x8000_0000, 0x8000_0000),
      idleMs: IDLE_MS,
      isInUse: (topic) => index.hasAny(index.slotOf(topicHash(hashSeed, topic))),
    }),
    maxAnswerBytes: answerLimitsOf(options, member.members).maxAnswerBytes,
    maxKeyBytes: maxBytes * KEY_SHARE,
    counters,
    logger,
    now: Date.now,
  });
  // Gaps of other nodes concern what is kept, too.
  index.add(GAP_SLOT);
  member.start(keeper);
  keeper.start(isReplacement);
  watchBuffers({
    memory: memory.buffers,
    member: number,
    counters,
    logger,
    maxBufferBytes: options.maxBufferBytes,
    sources: [exchange],
  });
  parentPort?.on("message", (message: MainMessage) => handleMain(keeper, message));
  tell({ kind: "ready", descriptor: 0, outgoing: [], kept: [] });
} catch (error) {
  tell({ kind: "failed", error: reportOf(error) });
}

function handleMain(keeper: Keeper, message: MainMessage): void {
  if (message.kind === "retire") {
    member.retire(message.member, message.hasLost);
    tell({ kind: "retired", member: message.member });
  } else if (message.kind === "stop") {
    exchange.drainNow();
    keeper.stop();
    member.stop();
    parentPort?.close();
  }
}

function tell(message: MemberMessage): void {
  parentPort?.postMessage(message);
}
