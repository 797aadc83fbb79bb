/**
 * Faults of the process: no descriptors left, frozen, killed, signalled in a hurry.
 *
 * Runs on: the chaos suite's process.
 */

import { createConnection, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { addressOf } from "../suites/addresses.ts";
import { Changes } from "../suites/changes.ts";
import { Client } from "../suites/client.ts";
import { eventually, expect, type Fault, type Trial } from "./fault.ts";
import type { Served } from "./served.ts";

/** More than two shards need to load their modules at the same time. */
const DESCRIPTORS = 400;
const SIGHUPS = 10;
const FLOOD = 800;
const CROWD = 200;
const JOIN_DEADLINE_MS = 60_000;
const RECONNECT_MS = 100;
/** Time over which the CPU of a full server is measured. */
const MEASURE_MS = 2_000;
const FROZEN_MS = 3_000;
/** Time in which a server that takes its own pause for the silence of its clients would close them. */
const CLOSES_MS = 1_000;
/** Share of a core that a full server may use. A spinning acceptor uses all of one. */
const MAX_IDLE_SHARE = 0.5;

/** Opens connections that say nothing. */
function flood({ port }: Served): readonly Socket[] {
  return Array.from({ length: FLOOD }, (_none, at) => {
    const socket = createConnection({ host: "127.0.0.1", port, localAddress: addressOf(at) });
    socket.on("error", () => undefined);
    return socket;
  });
}

/** Clients that connect again whenever their connection has ended, like the official one. */
class Crowd {
  readonly #port: number;
  readonly #joined = new Map<number, Client>();
  readonly #changes = new Changes();
  #isStopped = false;

  private constructor(port: number) {
    this.#port = port;
  }

  /** Starts a crowd that is stopped with the trial, and waits until all have joined. */
  static async start(trial: Trial, { port }: Served): Promise<Crowd> {
    const crowd = new Crowd(port);
    trial.atEnd(() => crowd.#stop());
    for (let number = 0; number < CROWD; number++) void crowd.#live(number);
    await crowd.allJoined();
    return crowd;
  }

  allJoined(): Promise<void> {
    const isSo = (): boolean => this.#joined.size === CROWD;
    return this.#changes.until(isSo, "the joins of all clients", JOIN_DEADLINE_MS);
  }

  allGone(): Promise<void> {
    return this.#changes.until(() => this.#joined.size === 0, "the end of all connections");
  }

  #stop(): void {
    this.#isStopped = true;
    for (const client of this.#joined.values()) client.cut(false);
  }

  async #live(number: number): Promise<void> {
    while (!this.#isStopped) {
      try {
        const client = await Client.connect(this.#port, { address: addressOf(number) });
        const { status } = await client.join(`room:${number % 20}`);
        if (status === "ok") {
          this.#set(number, client);
          await client.closed;
          this.#set(number, undefined);
        } else client.cut(false);
      } catch {
        // The server is not back yet.
      }
      await sleep(RECONNECT_MS);
    }
  }

  #set(number: number, client: Client | undefined): void {
    if (client === undefined) this.#joined.delete(number);
    else this.#joined.set(number, client);
    this.#changes.changed();
  }
}

/** All faults of the process. */
export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: "descriptors",
    expectation:
      "Without free descriptors the server goes on serving, does not spin, logs it, and recovers.",
    isQuick: true,
    obstacle: () => (process.platform === "linux" ? undefined : "it needs Linux"),
    async run(trial) {
      const served = await trial.start({ descriptors: DESCRIPTORS });
      const canaries = await trial.canaries(served);
      const sockets = flood(served);
      await served.logged(["listenPaused", "connectionsRefused"]);
      const before = served.cpuMs;
      const startedAt = performance.now();
      await sleep(MEASURE_MS);
      const share = (served.cpuMs - before) / (performance.now() - startedAt);
      expect(share < MAX_IDLE_SHARE, `a full server used ${share.toFixed(2)} of a core`);
      for (const socket of sockets) socket.destroy();
      await eventually(
        async () => (await served.statusOf("/healthz", 1_000)) === 200,
        "it must accept connections again",
      );
      await trial.unharmed(canaries);
      await trial.stops(served);
    },
  },
  {
    name: "kill-9",
    expectation: `After kill -9 and a new start on the same port, ${CROWD} clients are back.`,
    isQuick: true,
    async run(trial) {
      const first = await trial.start();
      const crowd = await Crowd.start(trial, first);
      await first.kill();
      await crowd.allGone();
      const second = await trial.start({ port: first.port });
      await crowd.allJoined();
      await trial.stops(second);
    },
  },
  {
    name: "frozen",
    expectation:
      "After SIGSTOP and SIGCONT all connections are open, and all requests are answered.",
    isQuick: true,
    async run(trial) {
      const served = await trial.start();
      const canaries = await trial.canaries(served);
      served.child.kill("SIGSTOP");
      await sleep(FROZEN_MS);
      served.child.kill("SIGCONT");
      // No connection must be closed now.
      await sleep(CLOSES_MS);
      const { closes, unanswered } = await trial.undoubled(canaries);
      expect(closes.length === 0, `canaries were closed with ${closes.join(", ")}`);
      expect(unanswered === 0, `${unanswered} canary requests have no answer`);
      await trial.stops(served);
    },
  },
  {
    name: "many-sighups",
    expectation:
      "Many SIGHUPs in a row restart the shards; clients come back, and the process stays.",
    isQuick: false,
    async run(trial) {
      const served = await trial.start();
      const crowd = await Crowd.start(trial, served);
      const canaries = await trial.canaries(served);
      for (let signals = 1; signals <= SIGHUPS; signals++) {
        served.child.kill("SIGHUP");
        await served.wrote("SIGHUP: ", signals);
      }
      await served.wrote("all shards restarted");
      await crowd.allJoined();
      await trial.undoubled(canaries);
      await trial.stops(served);
    },
  },
  {
    name: "two-sigterms",
    expectation: "A second SIGTERM ends the drain at once, with code 0.",
    isQuick: true,
    async run(trial) {
      const served = await trial.start({
        env: {
          SIMURGH_LOG_LEVEL: "info",
          SIMURGH_DRAIN_LIMIT_MS: "60000",
          SIMURGH_DRAIN_BATCH: "1",
        },
      });
      await Crowd.start(trial, served);
      served.child.kill("SIGTERM");
      await served.logged("serverDraining");
      await trial.stops(served, 10_000);
    },
  },
];
