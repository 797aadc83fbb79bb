/**
 * Faults of user code: it throws what nobody expects, blocks its shard, ends it, or hangs.
 *
 * Runs on: the chaos suite's process.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { EXIT } from "../../src/server/process-end.ts";
import { within } from "../../test/support/deadline.ts";
import { WHATEVER } from "../../test/support/whatever.ts";
import { Client } from "../suites/client.ts";
import { expect, textOf, type Fault, type Trial } from "./fault.ts";
import type { Served } from "./served.ts";

const ANSWER_MS = 15_000;
/** Connections that are opened while a shard is stuck. */
const NEWCOMERS = 40;
/** How often a client tries again that no shard takes. */
const RETRY_MS = 100;
const EXIT_MS = 2_000;

async function answerTo(answer: ReturnType<Client["call"]>, what: string): Promise<string> {
  return (await within(answer, `the answer to ${what}`, ANSWER_MS)).status;
}

/** Connects to a given shard. */
async function connectTo(served: Served, shard: number, topic: string): Promise<Client> {
  for (let attempts = 0; attempts < 100; attempts++) {
    const client = await Client.connect(served.port);
    const { response } = await client.join(topic);
    if ((response as { readonly shard: number }).shard === shard) return client;
    client.cut(false);
  }
  throw new Error(`no connection reached shard ${shard}`);
}

/** Connects with two channels, of which one throws a value of `WHATEVER`. */
async function throwIn(served: Served, event: string, at: number): Promise<void> {
  const client = await Client.connect(served.port);
  for (const topic of ["room:bad", "room:good"]) await client.join(topic);
  const error = client.next("room:bad", "phx_error");
  client.push("room:bad", event, { at });
  await within(error, `phx_error after ${event}`, ANSWER_MS);
  const status = await answerTo(client.call("room:good", "echo"), "a call of the other channel");
  expect(status === "ok", `${event} harmed the other channel: ${status}`);
  client.cut(false);
}

async function forEachThrown(
  trial: Trial,
  throwOne: (served: Served, at: number) => Promise<void>,
): Promise<void> {
  const served = await trial.start();
  const canaries = await trial.canaries(served);
  for (const [at, [name]] of WHATEVER.entries()) {
    try {
      await throwOne(served, at);
    } catch (error) {
      throw new Error(`"${name}" (server: ${textOf(served.ended)}): ${String(error)}`, {
        cause: error,
      });
    }
  }
  await trial.unharmed(canaries);
  await trial.stops(served);
}

async function statusMustBe(served: Served, path: string, wanted: number): Promise<void> {
  const status = await served.statusOf(path);
  expect(status === wanted, `${path} must be answered with ${wanted}, got ${status}`);
}

/** Blocks a shard for ever, and checks that the other serves everybody. */
function stuck(event: string, expectation: string): Fault {
  return {
    name: `stuck-${event}`,
    expectation,
    isQuick: false,
    async run(trial) {
      const served = await trial.start();
      const bad = await connectTo(served, 0, "room:bad");
      const canary = await connectTo(served, 1, "room:canary");
      bad.push("room:bad", event);
      await served.logged("shardStuck");
      const opened = await Promise.all(
        Array.from({ length: NEWCOMERS }, async () => {
          const client = await Client.connect(served.port).catch(() => undefined);
          client?.cut(false);
          return client !== undefined;
        }),
      );
      const answered = opened.filter(Boolean).length;
      expect(answered === NEWCOMERS, `${answered} of ${NEWCOMERS} new connections were served`);
      expect(
        (await answerTo(canary.call("room:canary", "echo"), "a call of the other shard")) === "ok",
        "the other shard must answer",
      );
      expect(served.log.end.includes("room:bad"), "the log must name the topic of the stuck shard");
      expect(served.log.end.includes(event), "the log must name the event of the stuck shard");
      await trial.stops(served, 30_000);
    },
  };
}

/** All faults of user code. */
export const USER_CODE_FAULTS: readonly Fault[] = [
  {
    name: "handler-throws",
    expectation: "Whatever a handler throws costs its own channel: phx_error.",
    isQuick: true,
    run: (trial) => forEachThrown(trial, (served, at) => throwIn(served, "throw", at)),
  },
  {
    name: "handler-rejects",
    expectation: "Whatever a handler rejects with costs its own channel: phx_error.",
    isQuick: true,
    run: (trial) => forEachThrown(trial, (served, at) => throwIn(served, "reject", at)),
  },
  {
    name: "join-throws",
    expectation: "Whatever a join throws is answered with an error.",
    isQuick: true,
    run: (trial) =>
      forEachThrown(trial, async (served, at) => {
        const client = await Client.connect(served.port);
        const status = await answerTo(client.join("room:1", { throws: at }), "the join");
        expect(status === "error", `the join must be answered with error, got ${status}`);
        expect((await answerTo(client.join("room:2"), "another join")) === "ok", "it must go on");
        client.cut(false);
      }),
  },
  {
    name: "connect-throws",
    expectation: "Whatever connect throws is answered with 500, over WebSocket and long-poll.",
    isQuick: true,
    run: (trial) =>
      forEachThrown(trial, async (served, at) => {
        await statusMustBe(served, `/socket/longpoll?vsn=2.0.0&throws=${at}`, 500);
        const refused = await Client.connect(served.port, { params: `&throws=${at}` }).then(
          () => "a connection",
          (error: unknown) => String(error),
        );
        expect(refused.includes("500"), `the handshake must get 500, got ${refused}`);
      }),
  },
  {
    name: "route-throws",
    expectation: "Whatever a route throws or rejects with is answered with 500.",
    isQuick: true,
    run: (trial) =>
      forEachThrown(trial, async (served, at) => {
        await statusMustBe(served, `/throw/${at}`, 500);
        await statusMustBe(served, `/reject/${at}`, 500);
      }),
  },
  {
    name: "timer-throws",
    expectation: "Whatever is thrown outside any handler is logged, and the shard goes on.",
    isQuick: true,
    run: (trial) =>
      forEachThrown(trial, async (served, at) => {
        const client = await Client.connect(served.port);
        await client.join("room:1");
        const before = served.log.count("uncaught");
        await client.call("room:1", "outside", { at });
        await served.logged("uncaught", before + 2);
        const status = await answerTo(client.call("room:1", "echo"), "the channel that threw");
        expect(status === "ok", `the channel must go on, got ${status}`);
        client.cut(false);
      }),
  },
  {
    name: "stop-throws",
    expectation: "If the app's stop throws, SIGTERM still ends the process with code 0.",
    isQuick: true,
    async run(trial) {
      await trial.stops(await trial.start({ env: { CHAOS_STOP: "throws" } }));
    },
  },
  {
    name: "stop-hangs",
    expectation: "If the app's stop hangs, SIGTERM ends the process with code 0 in time.",
    isQuick: true,
    async run(trial) {
      await trial.stops(await trial.start({ env: { CHAOS_STOP: "hangs" } }), 10_000);
    },
  },
  stuck("loop", "A shard in an endless loop leaves the rotation, and SIGTERM ends it: code 0."),
  stuck("regex", "The same for a regular expression that takes for ever."),
  stuck("wait", "The same for Atomics.wait."),
  {
    name: "block",
    expectation: "A handler that blocks its shard for 1 s delays nobody on the other.",
    isQuick: true,
    async run(trial) {
      const served = await trial.start();
      const bad = await connectTo(served, 0, "room:bad");
      const good = await connectTo(served, 1, "room:good");
      let isBlocked = true;
      const blocked = bad.call("room:bad", "block", { ms: 1_000 });
      void blocked.finally(() => (isBlocked = false));
      let answered = 0;
      while (isBlocked) {
        await good.call("room:good", "echo");
        if (isBlocked) answered += 1;
      }
      expect(answered > 10, `the other shard answered ${answered} times meanwhile`);
      expect((await answerTo(blocked, "the slow call")) === "ok", "the slow call must be answered");
      await trial.stops(served);
    },
  },
  {
    name: "exit-in-shard",
    expectation: "A shard that calls process.exit is replaced; the process goes on.",
    isQuick: true,
    async run(trial) {
      const served = await trial.start();
      const canaries = await trial.canaries(served);
      for (const [at, shard] of [0, 1, 0].entries()) {
        const bad = await connectTo(served, shard, "room:bad");
        bad.push("room:bad", "exit");
        await bad.closed;
        await served.logged("shardReplaced", at + 1);
      }
      await trial.undoubled(canaries);
      await trial.stops(served);
    },
  },
  {
    name: "exit-of-all",
    expectation: `If no shard is left, the process ends with ${EXIT.serverFailed}.`,
    isQuick: false,
    async run(trial) {
      const served = await trial.start();
      const deadline = performance.now() + 60_000;
      while (served.ended === undefined && performance.now() < deadline) {
        const bad = await Client.connect(served.port).catch(() => undefined);
        if (bad === undefined) {
          await sleep(RETRY_MS);
          continue;
        }
        await Promise.race([bad.join("room:bad"), sleep(EXIT_MS)]);
        bad.push("room:bad", "exit");
        await Promise.race([bad.closed, sleep(EXIT_MS)]);
        bad.cut(false);
      }
      const { ended } = served;
      expect(
        ended?.code === EXIT.serverFailed,
        `the process must end with ${EXIT.serverFailed}, got ${textOf(ended)}`,
      );
    },
  },
  {
    name: "heap",
    expectation: "If a shard runs out of memory, the process ends and logs which shard it was.",
    isQuick: false,
    async run(trial) {
      const served = await trial.start({ env: { SIMURGH_OLD_GENERATION_MB: "64" } });
      const bad = await connectTo(served, 0, "room:bad");
      bad.push("room:bad", "allocate");
      const ended = await served.end(60_000);
      // Before Node.js 22.15, a process cannot end by itself while a thread dies.
      expect(
        ended?.code === EXIT.shardDied ||
          ended?.signal === "SIGKILL" ||
          ended?.signal === "SIGABRT",
        `it must end with ${EXIT.shardDied} or a signal, got ${textOf(ended)}`,
      );
      expect(/shard 0|"shard":0/.test(served.log.end), "the log must name shard 0");
    },
  },
];
