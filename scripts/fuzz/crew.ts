/**
 * Runs lives of one kind, several at the same time, until enough was sent.
 *
 * Runs on: the fuzzer's process.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Life } from "./life.ts";

/** What lives found. */
export interface Finding {
  /** The number of the life. */
  readonly life: number;
  readonly text: string;
}

/** The lives to run. */
export interface CrewPlan {
  readonly make: (life: number) => Life;
  readonly port: number;
  /** Lives at the same time. */
  readonly connections: number;
  /** Number of the first life. */
  readonly from: number;
  /** Lives to run, or undefined to run until `target` was written. */
  readonly lives: number | undefined;
  /** Frames or requests to write. */
  readonly target: number;
}

/** More findings would be the same ones. */
const MAX_FINDINGS = 20;

/** Lives of one kind. */
export class Crew {
  readonly #plan: CrewPlan;
  readonly findings: Finding[] = [];
  /** Lives that have begun and not ended, by number. */
  readonly living = new Set<number>();
  /** Those when it was stopped. */
  livingAtStop: readonly number[] = [];
  written = 0;
  lives = 0;
  #next: number;
  #isStopped = false;

  constructor(plan: CrewPlan) {
    this.#plan = plan;
    this.#next = plan.from;
  }

  /** Stops after the lives that have begun. */
  stop(): void {
    this.#isStopped = true;
    this.livingAtStop = [...this.living];
  }

  /** Runs all lives. */
  async run(): Promise<void> {
    const { connections, target } = this.#plan;
    if (target === 0) return;
    await Promise.all(Array.from({ length: connections }, () => this.#runSome()));
  }

  get #isDone(): boolean {
    const { from, lives, target } = this.#plan;
    if (this.#isStopped || this.findings.length >= MAX_FINDINGS) return true;
    return lives === undefined ? this.written >= target : this.#next >= from + lives;
  }

  async #runSome(): Promise<void> {
    const count = (written: number): void => {
      this.written += written;
    };
    while (!this.#isDone) {
      const life = this.#next;
      this.#next += 1;
      this.living.add(life);
      const fault = await this.#plan
        .make(life)
        .run(this.#plan.port, count)
        .catch((error: unknown) => String(error));
      this.living.delete(life);
      this.lives += 1;
      if (fault === undefined) continue;
      this.findings.push({ life, text: fault });
      // A server that has ended refuses connections at once.
      await sleep(100);
    }
  }
}
