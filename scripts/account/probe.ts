/**
 * Loaded into each thread of a server that is looked into (`--import`): collects garbage, says what
 * its heap holds, and writes a snapshot of it.
 *
 * Main listens on the port that `ACCOUNT_PORT` names; a request is a question. It asks all threads over
 * a broadcast channel, itself besides, and answers with what they said when all have, as JSON.
 *
 * Runs on: every thread of the server.
 */

import { createServer } from "node:http";
import { getHeapStatistics, setFlagsFromString, writeHeapSnapshot } from "node:v8";
import { runInNewContext } from "node:vm";
import { BroadcastChannel, isMainThread, threadId } from "node:worker_threads";

/** What a thread's heap holds after a collection, in bytes. */
export interface ThreadMemory {
  readonly threadId: number;
  /** In use by objects. */
  readonly heapUsed: number;
  /** Its pages that the system has given memory to. */
  readonly heapResident: number;
  /** The snapshot's path; null where none was asked for. */
  readonly snapshot: string | null;
}

/** What is asked: the path that a snapshot's begins with, or null for none. */
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
  // The second one collects what the first one's finalizers let go of.
  collect();
  collect();
  const { used_heap_size: heapUsed, total_physical_size: heapResident } = getHeapStatistics();
  const snapshot = snapshots === null ? null : writeHeapSnapshot(`${snapshots}.${threadId}`);
  return { threadId, heapUsed, heapResident, snapshot };
}

/** Main's side: asks so many other threads, and waits for them all. */
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
