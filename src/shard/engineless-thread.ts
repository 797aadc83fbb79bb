/**
 * What the threads without an engine have in common: the link, and the keepers of histories.
 *
 * Runs on: link, keeper; one for each.
 */

import { parentPort } from "node:worker_threads";

import { watchBuffers } from "../memory/buffer-watch.ts";
import { COUNTER } from "../memory/counters-layout.ts";
import { Counters } from "../memory/counters.ts";
import { Life } from "../memory/life.ts";
import { captureOutput } from "../output/captured-output.ts";
import { OutputQueue } from "../output/output-queue.ts";
import { makeQueueLogger } from "../output/queue-logger.ts";
import type { Logger } from "../log/logger.ts";
import { Member } from "../pubsub/member.ts";
import type { EnginelessStart, MemberMessage } from "./control.ts";

/** A thread without an engine. */
export class EnginelessThread {
  readonly counters: Counters;
  readonly logger: Logger;
  readonly member: Member;
  readonly #start: EnginelessStart;

  /** @param name - the thread's name in the log */
  constructor(start: EnginelessStart, name: string) {
    const { memory, output, options, member: number } = start;
    const counters = new Counters(memory.counters, number);
    const queue = new OutputQueue(output, number, counters);
    const logger = makeQueueLogger(queue, options);
    this.#start = start;
    this.counters = counters;
    this.logger = logger;
    this.member = new Member({ memory, member: number, counters, logger, options });
    captureOutput(queue);
    process.on("uncaughtException", (error) => {
      counters.add(COUNTER.uncaught);
      logger.log("uncaught", { thread: name, err: error });
    });
    // Without an engine, main does not need to wait for the thread before the process exits.
    new Life(memory.life).close(number);
  }

  /** Reports the thread as ready, and begins to report what waits for room in rings. */
  ready(): void {
    const { counters, logger, member } = this;
    const { memory, options, member: number } = this.#start;
    const { maxBufferBytes } = options;
    const sources = [member.exchange];
    watchBuffers({
      memory: memory.buffers,
      member: number,
      counters,
      logger,
      maxBufferBytes,
      sources,
    });
    this.tell({ kind: "ready", descriptor: 0, outgoing: [], kept: [], paths: [] });
  }

  /** Frees the places of a member whose thread has ended. */
  retire(member: number, hasLost: boolean): void {
    this.member.retire(member, hasLost);
    this.tell({ kind: "retired", member });
  }

  tell(message: MemberMessage): void {
    parentPort?.postMessage(message);
  }
}
