/**
 * A probe that `--import` loads into each thread of a server: collects garbage, reports heap usage,
 * and writes a heap snapshot on request.
 *
 * The main thread listens on the port in `ACCOUNT_PORT`. For each request it queries all threads,
 * including itself, over a broadcast channel, and responds with their answers as JSON.
 *
 * Runs on: every thread of the server.
 */

import { createServer } from "node:http";
import { getHeapStatistics, setFlagsFromString, writeHeapSnapshot } from "node:v8";
import { runInNewContext } from "node:vm";
import { BroadcastChannel, isMainThread, threadId } from "node:worker_threads";

/** Heap usage of a thread after a collection, in bytes. */
export interface ThreadMemory {
  readonly threadId: number;
  /** Bytes in use by objects. */
  readonly heapUsed: number;
  /** Size of the heap's resident pages. */
  readonly heapResident: number;
  /** The snapshot's path; null if none was requested. */
  readonly snapshot: string | null;
}

/** A query: the prefix of the snapshots' paths, or null for no snapshots. */
interface Question {
  readonly snapshots: string | null;
}
interface LetterEvent {
  readonly data: Letter;
}
type Letter = { readonly question: Question } | { readonly answer: ThreadMemory };

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const channel = new BroadcastChannel("simurgh-account");
channel.unref();

function answer({ snapshots }: Question): ThreadMemory {
  // The second collection frees memory that the finalizers of the first collection release.
  collect();
  collect();
  const { used_heap_size: heapUsed, total_physical_size: heapResident } = getHeapStatistics();
  const snapshot = snapshots === null ? null : writeHeapSnapshot(`${snapshots}.${threadId}`);
  return { threadId, heapUsed, heapResident, snapshot };
}

/** Queries this thread and `threads` others, and waits for all answers. Runs on the main thread. */
function ask(question: Question, threads: number): Promise<readonly ThreadMemory[]> {
  const answers = [answer(question)];
  return new Promise((resolve) => {
    const stop = new AbortController();
    const finish = (): void => {
      if (answers.length <= threads) return;
      stop.abort();
      resolve(answers);
    };
    const hear = (event: unknown): void => {
      const { data } = event as LetterEvent;
      if ("answer" in data) answers.push(data.answer);
      finish();
    };
    channel.addEventListener("message", hear, { signal: stop.signal });
    channel.postMessage({ question });
    finish();
  });
}

if (isMainThread) {
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "/", "http://localhost");
    const question = { snapshots: searchParams.get("snapshots") };
    void ask(question, Number(searchParams.get("threads"))).then((answers) =>
      response.setHeader("connection", "close").end(JSON.stringify(answers)),
    );
  });
  server.listen(Number(process.env["ACCOUNT_PORT"]), "127.0.0.1").unref();
} else {
  channel.addEventListener("message", (event) => {
    const { data } = event as unknown as LetterEvent;
    if ("question" in data) channel.postMessage({ answer: answer(data.question) });
  });
}
