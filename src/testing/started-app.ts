/**
 * An app that a test starts explicitly, in order to use virtual time or data.
 *
 * Runs on: the thread of a test.
 */

/// <reference lib="esnext.disposable" preserve="true" />

import { invalidOption } from "../definition-checks.ts";
import { closeApp, connect, socketWith } from "./connect.ts";
import type { ConnectOptions, SocketOptions } from "./connect.ts";
import { startApp, type StartOptions, type TestApp, type TestTarget } from "./test-app.ts";
import type { TestSocket } from "./test-socket.ts";
import { VirtualTime } from "./virtual-time.ts";

/**
 * Starts an app: runs the endpoint's `start`.
 *
 * ```ts
 * const app = await testApp(endpoint, { time: "virtual" });
 * const { channel } = await join(await app.connect({ params }), "room:lobby");
 * await app.advance(60_000);
 * await assertPush(channel, "idle", { sinceMs: 60_000 });
 * await app.close();
 * ```
 *
 * @throws SIM_ERR_OPTION_INVALID if the app is already running, or another app uses virtual time;
 *   whatever its `start` throws
 */
export async function testApp(target: TestTarget, options: StartOptions = {}): Promise<StartedApp> {
  return new StartedApp(target, await startApp(target, options));
}

/** A running app. */
export class StartedApp {
  readonly #target: TestTarget;
  readonly #app: TestApp;

  constructor(target: TestTarget, app: TestApp) {
    this.#target = target;
    this.#app = app;
  }

  /** Current time, as returned by `Date.now()`. */
  get nowMs(): number {
    return Date.now();
  }

  /** Connects to the app; see `connect`. */
  async connect(options?: ConnectOptions): Promise<TestSocket> {
    return connect(this.#target, options);
  }

  /** Connects to the app with the given assigns; see `socketWith`. */
  async socketWith(options?: SocketOptions): Promise<TestSocket> {
    return socketWith(this.#target, options);
  }

  /**
   * Lets virtual time pass. All timers that are due fire in order, and promises settle after each.
   * Does not wait for files, networks or threads.
   *
   * @param durationMs - 0 only settles promises
   * @throws SIM_ERR_OPTION_INVALID if the app's time is real
   */
  async advance(durationMs: number): Promise<void> {
    const { time } = this.#app;
    if (!(time instanceof VirtualTime)) {
      const message = 'app must be started with time: "virtual" to advance it, got real time';
      throw invalidOption(message);
    }
    if (!(durationMs >= 0 && durationMs < Infinity)) {
      const message = `durationMs must be a finite number from 0 (ms), got ${durationMs}`;
      throw invalidOption(message);
    }
    await time.pass(durationMs);
  }

  /** Closes the app; see `closeApp`. */
  async close(options?: { readonly timeoutMs?: number }): Promise<void> {
    await closeApp(this.#target, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
