/**
 * Faults of outputs: nobody reads them, they are closed, or the disk is full.
 *
 * Runs on: the chaos suite's process.
 */

import { closeSync, existsSync, openSync } from "node:fs";
import { within } from "../../test/support/deadline.ts";
import { Client } from "../suites/client.ts";
import { expect, type Fault, type Trial } from "./fault.ts";
import type { Served } from "./served.ts";

const CONNECTIONS = 20;
const LINES = 3_000;
const PRINT_DEADLINE_MS = 5_000;
const RESTART_DEADLINE_MS = 20_000;
const FULL = "/dev/full";

/** Makes the server log much more than a pipe holds (64 KiB). */
async function causeLogs({ port }: Served): Promise<void> {
  for (let connections = 0; connections < CONNECTIONS; connections++) {
    const client = await Client.connect(port);
    for (let line = 0; line < LINES / CONNECTIONS; line++) {
      client.push(`nowhere:${"x".repeat(200)}`, "event");
    }
    await within(client.flush(), "the answer to a client that causes logs");
    client.cut(false);
  }
}

/** Makes user code print much more than a pipe holds. */
async function causePrints({ port }: Served): Promise<void> {
  const client = await Client.connect(port);
  await client.join("room:1");
  for (let calls = 0; calls < 10; calls++) {
    const printed = client.call("room:1", "print", { lines: 300 });
    const { status } = await within(printed, "a handler that prints", PRINT_DEADLINE_MS);
    expect(status === "ok", `console.log must not block: ${status}`);
  }
  client.cut(false);
}

/** Checks a server with an output at fault: it serves, and stops. */
async function serves(
  trial: Trial,
  served: Served,
  cause: (served: Served) => Promise<void>,
): Promise<void> {
  const canaries = await trial.canaries(served);
  await cause(served);
  await trial.unharmed(canaries);
  await trial.stops(served);
}

const OUTPUTS = {
  stdout: { stdio: ["ignore", "pipe", "ignore"], cause: causePrints },
  stderr: { stdio: ["ignore", "ignore", "pipe"], cause: causeLogs },
} as const;

/** A pipe that nobody reads, or whose reading end is closed once the server answers. */
function pipeFault(
  output: keyof typeof OUTPUTS,
  state: "unread" | "closed",
  expectation: string,
): Fault {
  return {
    name: `${output}-${state}`,
    expectation,
    isQuick: true,
    async run(trial) {
      const { stdio, cause } = OUTPUTS[output];
      const served = await trial.spawn({ stdio: [...stdio] });
      const pipe = served.child[output];
      pipe?.pause();
      await served.ready();
      if (state === "closed") pipe?.destroy();
      await serves(trial, served, cause);
    },
  };
}

/** All faults of outputs. */
export const PIPE_FAULTS: readonly Fault[] = [
  pipeFault("stderr", "unread", "A log pipe that nobody reads delays nobody, and SIGTERM drains."),
  pipeFault(
    "stdout",
    "unread",
    "console.log of user code to a pipe that nobody reads delays nobody.",
  ),
  pipeFault("stderr", "closed", "A log pipe that is closed ends nothing."),
  pipeFault(
    "stdout",
    "closed",
    "A standard output that is closed ends nothing, and SIGTERM drains.",
  ),
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
      const code = await within(client.closed, "the close of a client", RESTART_DEADLINE_MS);
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
