/**
 * The server's process in a replayed scenario: receives signals, and its exit is an arrival.
 *
 * Runs on: the main thread of the tests; the server is a process of its own.
 */
import type { Child } from "../support/child.ts";
import type { Act, Arrival } from "./scenario.ts";

/** The server's process, as a party of the scenario. */
export class ServerProcess {
  readonly arrivals: Arrival[] = [];
  /** Always true, because a process does not answer heartbeats. */
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
      // An exit by our own SIGKILL is not an arrival.
      if (signal === "SIGKILL") return;
      this.arrivals.push({ kind: "exit", code, signal });
      onArrival();
    });
  }

  perform(acts: readonly Act[]): void {
    for (const act of acts) if (act.kind === "signal") this.#child.process.kill(act.signal);
  }

  raiseFence(): void {}

  /** Kills it if it is still running. */
  async cut(): Promise<void> {
    this.#child.process.kill("SIGKILL");
    await this.#child.exited();
  }
}
