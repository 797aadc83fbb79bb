/**
 * Faults of the process: no descriptors left, frozen, killed, signalled in a hurry.
 *
 * Runs on: the chaos suite's process.
 */

import { createConnection, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { addressOf } from "../suites/addresses.ts";
import { Client } from "../suites/client.ts";
import { eventually, expect, textOf, type Fault, type Trial } from "./fault.ts";
import type { Served } from "./served.ts";

const DESCRIPTORS = 200;
const FLOOD = 400;
const CROWD = 200;
const FROZEN_MS = 3_000;
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

/** A client that connects again whenever its connection has ended, like the official one. */
class Returning {
  readonly #port: number;
  readonly #number: number;
  #client: Client | undefined = undefined;
  #isStopped = false;

  constructor(port: number, number: number) {
    this.#port = port;
    this.#number = number;
    void this.#live();
  }

  get isJoined(): boolean {
    return this.#client?.isOpen === true;
  }

  stop(): void {
    this.#isStopped = true;
    this.#client?.cut(false);
  }

  async #live(): Promise<void> {
    while (!this.#isStopped) {
      try {
        const client = await Client.connect(this.#port, { address: addressOf(this.#number) });
        const { status } = await client.join(`room:${this.#number % 20}`);
        if (status === "ok") {
          this.#client = client;
          await client.closed;
        } else client.cut(false);
      } catch {
        // The server is not back yet.
      }
      await sleep(100);
    }
  }
}

async function crowd(trial: Trial, { port }: Served): Promise<readonly Returning[]> {
  const clients = Array.from({ length: CROWD }, (_none, at) => new Returning(port, at));
  trial.atEnd(() => clients.forEach((client) => client.stop()));
  await allJoined(clients);
  return clients;
}

async function allJoined(clients: readonly Returning[]): Promise<void> {
  const joined = (): number => clients.filter(({ isJoined }) => isJoined).length;
  await eventually(() => joined() === clients.length, "all clients must have joined", 60_000);
}

/** All faults of the process. */
export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: "descriptors",
    expectation:
      "Without descriptors left the server serves on, does not spin, says so, and recovers.",
    isQuick: true,
    obstacle: () => (process.platform === "linux" ? undefined : "it needs Linux"),
    async run(trial) {
      const served = await trial.start({ descriptors: DESCRIPTORS });
      const canaries = await trial.canaries(served);
      const before = served.cpuMs;
      const startedAt = performance.now();
      const sockets = flood(served);
      await sleep(3_000);
      const share = (served.cpuMs - before) / (performance.now() - startedAt);
      expect(share < MAX_IDLE_SHARE, `a full server used ${share.toFixed(2)} of a core`);
      expect(
        served.log.count("listenPaused") + served.log.count("connectionsRefused") > 0,
        "the log must say that there is no room",
      );
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
      const clients = await crowd(trial, first);
      await first.kill();
      await eventually(() => clients.every(({ isJoined }) => !isJoined), "they must notice");
      const second = await trial.start({ port: first.port });
      await allJoined(clients);
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
      await sleep(200);
      served.child.kill("SIGSTOP");
      await sleep(FROZEN_MS);
      served.child.kill("SIGCONT");
      await sleep(1_000);
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
      const clients = await crowd(trial, served);
      const canaries = await trial.canaries(served);
      for (let signals = 0; signals < 10; signals++) {
        served.child.kill("SIGHUP");
        await sleep(50);
      }
      await eventually(
        () => served.log.end.includes("all shards restarted"),
        "the shards must restart",
      );
      await allJoined(clients);
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
        env: { SIMURGH_DRAIN_LIMIT_MS: "60000", SIMURGH_DRAIN_BATCH: "1" },
      });
      await crowd(trial, served);
      served.child.kill("SIGTERM");
      await sleep(500);
      expect(served.ended === undefined, `it must drain, got ${textOf(served.ended)}`);
      await trial.stops(served, 10_000);
    },
  },
];
