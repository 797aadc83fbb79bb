/**
 * Entry point of a keeper's thread: creates the store, starts the keeper, handles messages from main.
 *
 * Runs on: keeper.
 */

import { randomInt } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";

import { reportOf } from "../error-report.ts";
import { Keeper } from "../history/keeper.ts";
import { PublishKeys } from "../history/publish-keys.ts";
import type { Histories } from "../history/saved-histories.ts";
import { SlabStore } from "../history/slab-store.ts";
import { topicHash } from "../memory/topic-hash.ts";
import { GAP_SLOT } from "../pubsub/gap.ts";
import { adoptStored } from "../pubsub/history-records.ts";
import { answerLimitsOf, keeperOf } from "../pubsub/keeping.ts";
import { KeptTopics } from "../pubsub/kept-topics.ts";
import type { KeeperFiles, KeeperStart, MainMessage } from "./control.ts";
import { EnginelessThread } from "./engineless-thread.ts";
import { restoreFiles, saveFile } from "./keeper-files.ts";

/** Time after which an empty topic that nobody uses is forgotten, with its epoch. */
const IDLE_MS = 3_600_000;
/** Part of the memory that keys of publishes may take. */
const KEY_SHARE = 1 / 8;
/** Part of the time limits of a thread's start and end that its files may take. */
const START_SHARE = 1 / 2;
const END_SHARE = 0.9;

const start = workerData as KeeperStart;
const { options, files } = start;
const thread = new EnginelessThread(start, "history");
const { counters, logger, member } = thread;
const { index, hashSeed, exchange } = member;

try {
  const kept = new KeptTopics(start.kept);
  const histories = files ? restored(kept, files) : makeHistories();
  const keeper = new Keeper({
    post: exchange,
    hashSeed,
    slotOf: (hash) => index.slotOf(hash),
    kept,
    ...histories,
    maxAnswerBytes: answerLimitsOf(options, member.members).maxAnswerBytes,
    counters,
    logger,
    now: Date.now,
  });
  // Gaps of other nodes concern what is kept, too.
  index.add(GAP_SLOT);
  member.start(keeper);
  keeper.start(start.isReplacement);
  parentPort?.on("message", (message: MainMessage) => {
    handleMain(keeper, histories, message);
  });
  thread.ready();
} catch (error) {
  thread.tell({ kind: "failed", error: reportOf(error) });
}

function makeHistories(): Histories {
  const maxBytes = Math.floor(options.historyBytes / options.historyThreads);
  const store = new SlabStore({
    maxBytes,
    seed: randomInt(-0x8000_0000, 0x8000_0000),
    idleMs: IDLE_MS,
    isInUse: (topic) => index.hasAny(index.slotOf(topicHash(hashSeed, topic))),
  });
  return { store, keys: new PublishKeys(maxBytes * KEY_SHARE) };
}

/** Returns what an earlier process had kept of the topics of this keeper. */
function restored(kept: KeptTopics, from: KeeperFiles): Histories {
  return restoreFiles(from, {
    make: makeHistories,
    limitsOf: (topic) => {
      const isOwn = keeperOf(member.keepers, topicHash(hashSeed, topic)) === member.number;
      return isOwn ? kept.find(topic) : undefined;
    },
    adopt: (topic, bytes) => adoptStored(bytes, topicHash(hashSeed, topic)),
    // Other nodes went on while this one was stopped.
    hasMissed: member.hasNodes,
    nowMs: Date.now(),
    limitMs: options.startTimeoutMs * START_SHARE,
    logger,
  });
}

function handleMain(keeper: Keeper, histories: Histories, message: MainMessage): void {
  if (message.kind === "retire") {
    thread.retire(message.member, message.hasLost);
  } else if (message.kind === "stop") {
    exchange.drainNow();
    keeper.stop();
    if (files) saveFile(files, histories, options.shutdownMs * END_SHARE, logger);
    member.stop();
    parentPort?.close();
  }
}
