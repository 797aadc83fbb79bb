/**
 * An app that a test starts itself, where it must say how: with virtual time, or with data.
 *
 * Runs on: the thread of a test.
 */

import { makeError } from "../errors.ts";
import { closeApp, connect, socketWith } from "./connect.ts";
import type { ConnectOptions, SocketOptions } from "./connect.ts";
import { startApp, type StartOptions, type TestApp, type TestTarget } from "./test-app.ts";
import type { TestSocket } from "./test-socket.ts";
import { VirtualTime } from "./virtual-time.ts";

/**
 * Starts an app: runs `start` of the endpoint.
 *
 * ```ts
 * const app = await testApp(endpoint, { time: "virtual" });
 * const { channel } = await join(await app.connect({ params }), "room:lobby");
 * await app.advance(60_000);
 * await assertPush(channel, "idle", { sinceMs: 60_000 });
 * await app.close();
 * ```
 *
 * @throws SIM_ERR_OPTION_INVALID where it runs already, or another app has virtual time; what its
 *   `start` throws
 */
export async function testApp(target: TestTarget, options: StartOptions = {}): Promise<StartedApp> {
  return new StartedApp(target, await startApp(target, options));
}

/** An app that runs. */
export class StartedApp {
  readonly #target: TestTarget;
  readonly #app: TestApp;

  constructor(target: TestTarget, app: TestApp) {
    this.#target = target;
    this.#app = app;
  }

  /** What `Date.now()` gives. */
  get nowMs(): number {
    return Date.now();
  }

  /** Connects to it; see `connect`. */
  async connect(options?: ConnectOptions): Promise<TestSocket> {
    return connect(this.#target, options);
  }

  /** Connects to it as somebody; see `socketWith`. */
  async socketWith(options?: SocketOptions): Promise<TestSocket> {
    return socketWith(this.#target, options);
  }

  /**
   * Lets virtual time pass: all timers that are due by then fire, in their order, and what one of
   * them causes has settled before the next. What waits for a file, a network or a thread is not
   * waited for.
   *
   * @param durationMs - 0 lets settle what needs no time
   * @throws SIM_ERR_OPTION_INVALID where the app's time is real
   */
  async advance(durationMs: number): Promise<void> {
    const { time } = this.#app;
    if (!(time instanceof VirtualTime)) {
      const message = 'only an app with time: "virtual" must be advanced, got one with real time';
      throw makeError("SIM_ERR_OPTION_INVALID", message);
    }
    if (!(durationMs >= 0 && durationMs < Infinity)) {
      const message = `durationMs must be 0 or more (ms), got ${durationMs}`;
      throw makeError("SIM_ERR_OPTION_INVALID", message);
    }
    await time.pass(durationMs);
  }

  /** Ends it; see `closeApp`. */
  async close(options?: { readonly timeoutMs?: number }): Promise<void> {
    await closeApp(this.#target, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
