/**
 * Faults of the broker between two nodes: killed, frozen, or refusing.
 *
 * Runs on: the chaos suite's process; Redis is a process of its own.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { noRedis, TestRedis } from "../../test/support/redis.ts";
import { Changes } from "../suites/changes.ts";
import { Client, type Received } from "../suites/client.ts";
import { eventually, expect, textOf, type Fault, type Trial } from "./fault.ts";
import type { Served } from "./served.ts";

const TOPIC = "room:shared";
/** What is said while the broker is away, and the pause after each: the broker is away for 3 s. */
const SAID_ALONE = 60;
const PAUSE_MS = 50;
/** After this time without it, a broadcast counts as lost. */
const LOST_MS = 1_000;
/** Time in which a node that is connected again would close connections. */
const CLOSES_MS = 1_000;

const obstacle = (): string | undefined => (noRedis === false ? undefined : noRedis);

async function startRedis(trial: Trial, settings: readonly string[] = []): Promise<TestRedis> {
  const redis = await TestRedis.start(settings);
  trial.atEnd(() => redis.kill());
  return redis;
}

function node(trial: Trial, redis: TestRedis): Promise<Served> {
  return trial.start({ env: { SIMURGH_CLUSTER_URL: redis.url } });
}

/** A client of a node that joins again when it is notified that it missed something. */
class Neighbour {
  readonly #served: Served;
  #client: Client | undefined = undefined;
  readonly #changes = new Changes();
  readonly heard = new Set<number>();
  told = 0;

  constructor(served: Served) {
    this.#served = served;
  }

  async join(): Promise<void> {
    this.#client = await Client.connect(this.#served.port, {
      onMessage: (message) => this.#onMessage(message),
    });
    await this.#client.join(TOPIC);
  }

  /** Says a number. @returns whether its own node took it */
  async say(n: number): Promise<boolean> {
    if (this.#client?.isOpen !== true) {
      this.told += 1;
      await this.join();
    }
    const answer = await this.#client?.call(TOPIC, "say", { n });
    return answer?.status === "ok";
  }

  /** Waits for a number. @returns whether it came in time */
  hears(n: number): Promise<boolean> {
    return this.#changes.untilOr(() => this.heard.has(n), LOST_MS);
  }

  leave(): void {
    this.#client?.cut(false);
  }

  #onMessage({ event, payload }: Received): void {
    if (event === "said") {
      this.heard.add((payload as { readonly n: number }).n);
      this.#changes.changed();
    } else if (event === "phx_error") {
      this.told += 1;
      void this.#client?.join(TOPIC);
    }
  }
}

/** Takes the broker away and brings it back: each node serves alone, and then both together. */
async function without(
  trial: Trial,
  redis: TestRedis,
  take: () => Promise<void> | void,
  restore: () => Promise<void> | void,
): Promise<void> {
  const [left, right] = [await node(trial, redis), await node(trial, redis)];
  const canaries = [await trial.canaries(left), await trial.canaries(right)];
  const [one, other] = [new Neighbour(left), new Neighbour(right)];
  await one.join();
  await other.join();
  let n = 0;
  const reaches = async (): Promise<boolean> => {
    n += 1;
    const said = n;
    return (await one.say(said)) && other.hears(said);
  };
  await eventually(reaches, "a broadcast must reach the other node");
  await take();
  for (let alone = 0; alone < SAID_ALONE; alone++) {
    n += 1;
    expect(await one.say(n), "a node must serve its own clients without the broker");
    await sleep(PAUSE_MS);
  }
  await restore();
  await eventually(reaches, "broadcasts must reach the other node again");
  const missed = Array.from({ length: n }, (_none, at) => at + 1).filter(
    (each) => !other.heard.has(each),
  );
  expect(
    missed.length === 0 || other.told > 0,
    `the other node's client missed ${missed.length} broadcasts and was not notified`,
  );
  for (const each of [one, other]) each.leave();
  for (const each of canaries) await trial.undoubled(each);
  await trial.stops(left);
  await trial.stops(right);
}

function awayFault(
  name: string,
  expectation: string,
  take: (redis: TestRedis) => Promise<void> | void,
  restore: (redis: TestRedis) => Promise<void> | void,
): Fault {
  const run = async (trial: Trial): Promise<void> => {
    const redis = await startRedis(trial);
    await without(
      trial,
      redis,
      () => take(redis),
      () => restore(redis),
    );
  };
  return { name, expectation, isQuick: false, obstacle, run };
}

/** All faults of the broker. */
export const BROKER_FAULTS: readonly Fault[] = [
  awayFault(
    "broker-killed",
    "Without the broker each node serves its own clients; once it is back, clients are notified of what they missed.",
    (redis) => redis.kill(),
    (redis) => redis.start(),
  ),
  awayFault(
    "broker-frozen",
    "The same for a broker that is frozen.",
    (redis) => redis.freeze(),
    (redis) => redis.thaw(),
  ),
  awayFault(
    "broker-cuts",
    "The same for a broker that cuts all connections.",
    (redis) => redis.cutAll(),
    () => undefined,
  ),
  {
    name: "broker-blip",
    expectation: "A short blip of the broker closes no connection with an id.",
    isQuick: false,
    obstacle,
    async run(trial) {
      const redis = await startRedis(trial);
      const env = { SIMURGH_CLUSTER_URL: redis.url, SIMURGH_LOG_LEVEL: "info" };
      const served = await trial.start({ env });
      const clients = await Promise.all(
        Array.from({ length: 60 }, (_none, at) =>
          Client.connect(served.port, { params: `&id=${at}` }),
        ),
      );
      await served.logged("linkConnected");
      await redis.cutAll();
      await served.logged("linkConnected", 2);
      // Nothing must happen now.
      await sleep(CLOSES_MS);
      const closed = clients.filter((client) => !client.isOpen).length;
      expect(closed === 0, `${closed} of ${clients.length} connections were closed`);
      await trial.stops(served, 90_000);
    },
  },
  {
    name: "broker-refuses",
    expectation: "A broker that refuses the node at its start ends the process with the reason.",
    isQuick: true,
    obstacle,
    async run(trial) {
      const redis = await startRedis(trial, ["--requirepass", "secret"]);
      const served = await trial.spawn({ env: { SIMURGH_CLUSTER_URL: redis.url } });
      served.readOutputs();
      const ended = await served.end(30_000);
      expect(ended?.code === 1, `it must end with code 1, got ${textOf(ended)}`);
      expect(served.log.end.includes("must let this node in"), "it must name the reason");
    },
  },
];
