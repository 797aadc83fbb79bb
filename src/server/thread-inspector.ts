/**
 * Inspects a thread that does not answer, and ends what it runs, through the inspector of Node.js.
 *
 * The inspector's messages interrupt JavaScript, also within a regular expression or `Atomics.wait`. Code
 * of Node.js or V8 that runs for long, such as `JSON.parse` of a large text or `execSync`, cannot be
 * interrupted: a message waits until it returns.
 *
 *   connect --NodeWorker.enable--> a session for each worker --detach the others--> one session
 *     --evaluate a stack, or terminate--> answered, or late --disconnect--> nothing is attached
 *
 * Sessions have numbers of their own; the worker's thread number is in its title. The debugger is never
 * enabled, so nothing pauses, and code is not deoptimized.
 *
 * Runs on: main. If main's loop does not run, `terminate` still works, since it waits for no answer.
 * Full: if a debugger is attached to the process (`--inspect`), nothing is done, since a thread at a
 *       breakpoint looks like one that is stuck.
 */

import type * as Inspector from "node:inspector";
import { createRequire } from "node:module";

import { PREPARE_FOR_END } from "../shard/forced-end.ts";

/** Frames of a stack that are shown. */
const MAX_FRAMES = 30;
/** Returns the stack of the code that it interrupts, and leaves the thread's setting as it was. */
const STACK = `(() => {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = ${MAX_FRAMES};
  try { return String(new Error().stack); } finally { Error.stackTraceLimit = limit; }
})()`;
/** Lines of such a stack that are not the interrupted code's: the error's, and the expression's. */
const OWN_LINES = 3;

/**
 * Returns the stack of what a thread runs.
 *
 * @param limitMs - time to wait for the thread
 * @returns undefined if the thread cannot be interrupted in time
 */
export async function stackOf(threadId: number, limitMs: number): Promise<string | undefined> {
  const thread = attach(threadId);
  if (!thread) return undefined;
  const answer = await thread.ask("Runtime.evaluate", { expression: STACK }, limitMs);
  thread.detach();
  const text = answer?.result?.result?.value;
  return typeof text === "string" ? text.split("\n").slice(OWN_LINES).join("\n") : undefined;
}

/**
 * Ends what a thread runs, as soon as it can be interrupted: all JavaScript on its stack is unwound,
 * without `catch` and `finally`, and its event loop goes on.
 *
 * @returns undefined if nothing can be done
 */
export function terminate(threadId: number): Termination | undefined {
  const thread = attach(threadId);
  return thread && new Termination(thread);
}

/** Ends what a thread runs. */
export class Termination {
  readonly #thread: AttachedThread;
  #isPending = false;
  #sentMs = 0;

  constructor(thread: AttachedThread) {
    this.#thread = thread;
    this.repeat();
  }

  /** Time since the last end was sent. */
  get ageMs(): number {
    return performance.now() - this.#sentMs;
  }

  /** Also ends what the thread has run since. Does nothing until the thread has been interrupted. */
  repeat(): void {
    if (this.#isPending) return;
    this.#isPending = true;
    this.#sentMs = performance.now();
    this.#thread.send("Runtime.evaluate", { expression: PREPARE_FOR_END });
    const last = this.#thread.send("Runtime.terminateExecution", {});
    this.#thread.onAnswer = ({ id }): void => {
      if (id === last) this.#isPending = false;
    };
  }

  /** Detaches from the thread. */
  release(): void {
    this.#thread.detach();
  }
}

interface Answer {
  readonly id?: number;
  readonly result?: { readonly result?: { readonly value?: unknown } };
}

/** A session with one thread. */
class AttachedThread {
  readonly #session: Inspector.Session;
  readonly #sessionId: string;
  #lastId = 0;
  onAnswer: (answer: Answer) => void = () => {};

  constructor(session: Inspector.Session, sessionId: string) {
    this.#session = session;
    this.#sessionId = sessionId;
    session.on("NodeWorker.receivedMessageFromWorker", ({ params }) => {
      this.onAnswer(JSON.parse(params.message) as Answer);
    });
  }

  /** @returns the number of the message, which its answer has as `id` */
  send(method: string, params: object): number {
    this.#lastId += 1;
    const message = JSON.stringify({ id: this.#lastId, method, params });
    this.#session.post("NodeWorker.sendMessageToWorker", { sessionId: this.#sessionId, message });
    return this.#lastId;
  }

  async ask(method: string, params: object, limitMs: number): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limitMs, undefined);
      this.onAnswer = (answer): void => {
        if (answer.id === undefined) return;
        clearTimeout(timer);
        resolve(answer);
      };
      this.send(method, params);
    });
  }

  detach(): void {
    this.#session.disconnect();
  }
}

/** Attaches to a thread. @returns undefined if that is impossible, or a debugger is attached */
function attach(threadId: number): AttachedThread | undefined {
  const inspector = loadInspector();
  if (!inspector || inspector.url() !== undefined) return undefined;
  const session = new inspector.Session();
  session.connect();
  let found: string | undefined;
  const others: string[] = [];
  session.on("NodeWorker.attachedToWorker", ({ params: { sessionId, workerInfo } }) => {
    if (workerInfo.title.startsWith(`[worker ${threadId}]`)) found = sessionId;
    else others.push(sessionId);
  });
  // Both the answer and the sessions of all workers are there when this returns.
  session.post("NodeWorker.enable", { waitForDebuggerOnStart: false });
  for (const sessionId of others) session.post("NodeWorker.detach", { sessionId });
  if (found !== undefined) return new AttachedThread(session, found);
  session.disconnect();
  return undefined;
}

/** Loads the inspector. @returns undefined if Node.js was built without it */
function loadInspector(): typeof Inspector | undefined {
  try {
    return createRequire(import.meta.url)("node:inspector") as typeof Inspector;
  } catch {
    return undefined;
  }
}
