/**
 * The server's own end in a replayed scenario: it is sent signals, and its exit is what arrives.
 *
 * Runs on: the main thread of the tests; the server is a process of its own.
 */
import type { Child } from "../support/child.ts";
import type { Act, Arrival } from "./scenario.ts";

/** A process that serves, as one of the scenario's parties. */
export class ServerProcess {
  readonly arrivals: Arrival[] = [];
  /** It answers no heartbeat. */
  readonly isFenced = true;
  readonly #child: Child;

  /** Whether the process has ended. */
  get isOver(): boolean {
    return this.arrivals.length > 0;
  }

  /** @param onArrival - called when it has ended */
  constructor(child: Child, onArrival: () => void) {
    this.#child = child;
    child.process.once("exit", (code, signal) => {
      // What a signal of ours ended is no answer to it.
      if (signal === "SIGKILL") return;
      this.arrivals.push({ kind: "exit", code, signal });
      onArrival();
    });
  }

  perform(acts: readonly Act[]): void {
    for (const act of acts) if (act.kind === "signal") this.#child.process.kill(act.signal);
  }

  raiseFence(): void {}

  /** Ends it, should it still be there. */
  async cut(): Promise<void> {
    this.#child.process.kill("SIGKILL");
    await this.#child.exited();
  }
}
