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
import { topicHash } from "../memory/topic-hash.ts";
import { GAP_SLOT } from "../pubsub/gap.ts";
import { answerLimitsOf } from "../pubsub/keeping.ts";
import { KeptTopics } from "../pubsub/kept-topics.ts";
import type { KeeperStart, MainMessage } from "./control.ts";
import { EnginelessThread } from "./engineless-thread.ts";

/** Time after which an empty topic that nobody uses is forgotten, with its epoch. */
const IDLE_MS = 3_600_000;
/** Part of the memory that keys of publishes may take. */
const KEY_SHARE = 1 / 8;

const start = workerData as KeeperStart;
const { options } = start;
const thread = new EnginelessThread(start, "history");
const { counters, logger, member } = thread;
const { index, hashSeed, exchange } = member;

try {
  const maxBytes = Math.floor(options.historyBytes / options.historyThreads);
  const keeper = new Keeper({
    post: exchange,
    hashSeed,
    slotOf: (hash) => index.slotOf(hash),
    kept: new KeptTopics(start.kept),
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
  keeper.start(start.isReplacement);
  parentPort?.on("message", (message: MainMessage) => handleMain(keeper, message));
  thread.ready();
} catch (error) {
  thread.tell({ kind: "failed", error: reportOf(error) });
}

function handleMain(keeper: Keeper, message: MainMessage): void {
  if (message.kind === "retire") {
    thread.retire(message.member, message.hasLost);
  } else if (message.kind === "stop") {
    exchange.drainNow();
    keeper.stop();
    member.stop();
    parentPort?.close();
  }
}
