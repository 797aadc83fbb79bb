/**
 * Faults of outputs: nobody reads them, they are closed, or the disk is full.
 *
 * Runs on: the chaos suite's process.
 */

import { closeSync, existsSync, openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../suites/client.ts";
import { expect, type Fault, type Trial } from "./fault.ts";
import type { Served } from "./served.ts";

const LINES = 3_000;
const FULL = "/dev/full";

/** Makes the server log much more than a pipe holds (64 KiB). */
async function causeLogs({ port }: Served): Promise<void> {
  for (let connections = 0; connections < 20; connections++) {
    const client = await Client.connect(port);
    for (let line = 0; line < LINES / 20; line++) {
      client.push(`nowhere:${"x".repeat(200)}`, "event");
    }
    await sleep(20);
    client.cut(false);
  }
}

/** Makes user code print much more than a pipe holds. */
async function causePrints({ port }: Served): Promise<void> {
  const client = await Client.connect(port);
  await client.join("room:1");
  for (let calls = 0; calls < 10; calls++) {
    const late = sleep(5_000, undefined, { ref: false });
    const answer = await Promise.race([client.call("room:1", "print", { lines: 300 }), late]);
    expect(answer?.status === "ok", `console.log must not block: ${answer?.status ?? "no answer"}`);
  }
  client.cut(false);
}

/** Checks a server with an output at fault: it serves, restarts its shards, and stops. */
async function serves(
  trial: Trial,
  served: Served,
  cause: (served: Served) => Promise<void>,
): Promise<void> {
  const canaries = await trial.canaries(served);
  await cause(served);
  await sleep(500);
  await trial.unharmed(canaries);
  await trial.stops(served);
}

/** All faults of outputs. */
export const PIPE_FAULTS: readonly Fault[] = [
  {
    name: "stderr-unread",
    expectation: "A log pipe that nobody reads delays nobody, and SIGTERM drains.",
    isQuick: true,
    async run(trial) {
      const served = await trial.spawn({ stdio: ["ignore", "ignore", "pipe"] });
      served.child.stderr?.pause();
      await served.ready();
      await serves(trial, served, causeLogs);
    },
  },
  {
    name: "stdout-unread",
    expectation: "console.log of user code to a pipe that nobody reads delays nobody.",
    isQuick: true,
    async run(trial) {
      const served = await trial.spawn({ stdio: ["ignore", "pipe", "ignore"] });
      served.child.stdout?.pause();
      await served.ready();
      await serves(trial, served, causePrints);
    },
  },
  {
    name: "stderr-closed",
    expectation: "A log pipe that is closed ends nothing.",
    isQuick: true,
    async run(trial) {
      const served = await trial.spawn({ stdio: ["ignore", "ignore", "pipe"] });
      await served.ready();
      served.child.stderr?.destroy();
      await serves(trial, served, causeLogs);
    },
  },
  {
    name: "stdout-closed",
    expectation: "A standard output that is closed ends nothing, and SIGTERM drains.",
    isQuick: true,
    async run(trial) {
      const served = await trial.spawn({ stdio: ["ignore", "pipe", "ignore"] });
      await served.ready();
      served.child.stdout?.destroy();
      await serves(trial, served, causePrints);
    },
  },
  {
    name: "stdout-closed-restart",
    expectation: "SIGHUP restarts the shards also if standard output is closed.",
    isQuick: true,
    async run(trial) {
      const served = await trial.spawn({ stdio: ["ignore", "pipe", "pipe"] });
      served.readOutputs();
      await served.ready();
      served.child.stdout?.destroy();
      const client = await Client.connect(served.port);
      await client.join("room:1");
      served.child.kill("SIGHUP");
      const late = sleep(20_000, undefined, { ref: false });
      const code = await Promise.race([client.closed, late]);
      expect(code === 1012, `the shard's clients must be closed with 1012, got ${code}`);
      await trial.stops(served);
    },
  },
  {
    name: "disk-full",
    expectation: "A log on a full disk ends nothing.",
    isQuick: true,
    obstacle: () => (existsSync(FULL) ? undefined : `${FULL} is missing`),
    async run(trial) {
      const full = openSync(FULL, "w");
      trial.atEnd(() => closeSync(full));
      const served = await trial.spawn({ stdio: ["ignore", full, full] });
      await served.ready();
      await serves(trial, served, async (each) => {
        await causeLogs(each);
        await causePrints(each);
      });
    },
  },
];
