/**
 * Loaded into each thread of a server that is looked into (`--import`): collects garbage, says what
 * its heap holds, and writes a snapshot of it.
 *
 * Main is asked over IPC by the process that started it, asks all threads over a broadcast channel,
 * itself as well, and passes their answers on.
 *
 * Runs on: every thread of the server.
 */

import { setFlagsFromString, writeHeapSnapshot } from "node:v8";
import { runInNewContext } from "node:vm";
import { BroadcastChannel, isMainThread, threadId } from "node:worker_threads";

/** What is asked; with `snapshots`, the path that each thread's number is added to. */
export interface Question {
  readonly snapshots: string | undefined;
}

/** What a thread's heap holds after a collection, in bytes. */
export interface ThreadMemory {
  readonly threadId: number;
  /** In use by objects. */
  readonly heapUsed: number;
  /** Taken from the system. */
  readonly heapTotal: number;
  /** The snapshot's path; undefined where none was asked for. */
  readonly snapshot: string | undefined;
}

type Letter = { readonly question: Question } | { readonly answer: ThreadMemory };

const NAME = "simurgh-account";

function answer({ snapshots }: Question, collect: () => void): ThreadMemory {
  // The second one collects what the first one's finalizers let go of.
  collect();
  collect();
  const { heapUsed, heapTotal } = process.memoryUsage();
  const snapshot =
    snapshots === undefined ? undefined : writeHeapSnapshot(`${snapshots}.${threadId}`);
  return { threadId, heapUsed, heapTotal, snapshot };
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const channel = new BroadcastChannel(NAME);
channel.unref();
channel.onmessage = (event: unknown) => {
  const { data } = event as { readonly data: Letter };
  if ("question" in data) channel.postMessage({ answer: answer(data.question, collect) });
  else if (isMainThread) process.send?.(data.answer);
};
if (isMainThread) {
  process.on("message", (question: Question) => {
    channel.postMessage({ question });
    process.send?.(answer(question, collect));
  });
  process.channel?.unref();
}
