/**
 * Code that holds the thread of a shard: what main does about it, and how such a node ends.
 *
 * Runs on: the test's thread; each server is a process of its own.
 * Slow: each test starts a process, in which a shard stands still.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { startChild, type Child } from "../support/child.ts";
import { Client, joined } from "../support/client.ts";
import { CommandLine } from "../support/command-line.ts";
import { noSecondShard, noTurns } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";

const APP = fileURLToPath(new URL("../apps/stuck.js", import.meta.url));
const DEADLINE_MS = 30_000;
const ENVIRONMENT = {
  SIMURGH_STALL_MS: "300",
  SIMURGH_SHUTDOWN_MS: "1000",
  SIMURGH_DRAIN_MS: "1000",
  SIMURGH_DRAIN_LIMIT_MS: "1000",
  SIMURGH_LOG_LEVEL: "warn",
};
/** Whether Node.js can replace the process; otherwise it is killed. */
const hasExecve = "execve" in process;

/** A line of the log. */
interface Line {
  readonly msg: string;
  readonly shard?: number;
  readonly topic?: string;
  readonly event?: string;
  readonly stack?: string;
  readonly durationMs?: number;
}

function linesOf(text: string, message: RegExp): Line[] {
  const lines = text.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line) as Line).filter(({ msg }) => message.test(msg));
}

const STUCK = /^shard stuck/;

function served(environment: Readonly<Record<string, string>> = {}): CommandLine {
  const args = ["serve", APP, "--host", "127.0.0.1", "--port", "0", "--shards", "2"];
  return new CommandLine(args, { ...ENVIRONMENT, ...environment });
}

/** Returns a client on each of the two shards, joined to room:loud; the first is on shard 0. */
async function onBothShards(port: number): Promise<[Client, Client]> {
  const found: Client[] = [];
  while (!found[0] || !found[1]) {
    const client = await Client.connect(port);
    const { shard } = (await joined(client, "room:loud")) as { shard: 0 | 1 };
    if (found[shard]) await client.close();
    else found[shard] = client;
  }
  return [found[0], found[1]];
}

/** Checks that new connections get to the only shard that is not stuck. */
async function areServed(port: number, shard: number): Promise<void> {
  const entered = async (): Promise<Client> => {
    const client = await Client.connect(port);
    assert.deepEqual(await joined(client, "room:new"), { shard });
    return client;
  };
  if (noTurns === false) {
    for (let at = 0; at < 4; at += 1) await (await entered()).close();
    return;
  }
  // The system deals to the stuck shard as well, where connections wait.
  const first = await Promise.any(Array.from({ length: 24 }, entered));
  assert.equal((await first.replyTo(first.push("room:new", "echo"))).status, "ok");
}

async function isServed(client: Client): Promise<void> {
  const { status } = await client.replyTo(client.push("room:loud", "echo"));
  assert.equal(status, "ok");
}

let child: Child | undefined;
afterEach(() => {
  child?.process.kill("SIGKILL");
  child = undefined;
});

interface Report {
  readonly events: readonly (readonly [string, Readonly<Record<string, unknown>>])[];
  readonly isReady: boolean;
  readonly stuck: number;
  readonly slow: readonly (number | undefined)[];
}

async function report(from: Child): Promise<Report> {
  const answer = once(from.process, "message");
  from.process.send("report");
  const [said] = await within(answer, "the report");
  return said as Report;
}

/** Asks for reports until one satisfies a condition. */
async function reported(
  from: Child,
  what: string,
  holds: (said: Report) => boolean,
): Promise<Report> {
  const found = (async (): Promise<Report> => {
    for (;;) {
      const said = await report(from);
      if (holds(said)) return said;
    }
  })();
  return within(found, what, DEADLINE_MS);
}

describe("a shard whose thread is held", { skip: noSecondShard }, () => {
  const KINDS = [
    { how: "loop", event: "hold", frame: /\bloop / },
    { how: "regexp", event: "hold", frame: /at RegExp\.test/ },
    { how: "wait", event: "hold", frame: /at Atomics\.wait/ },
    { how: "loop", event: "hold_in_timer", frame: /\bloop / },
    { how: "loop", event: "hold_in_immediate", frame: /\bloop / },
    { how: "caught", event: "hold_later", frame: /\bcaught / },
  ];
  for (const { how, event, frame } of KINDS) {
    it(`by ${how} in ${event} is logged with its stack, gets no connections, and closes on SIGTERM`, async () => {
      await using command = served();
      const port = await command.port();
      const [stuck, other] = await onBothShards(port);
      stuck.push("room:loud", event, { how });
      await command.logged("shard stuck");
      const [line] = linesOf(command.err, STUCK);
      assert.equal(line?.shard, 0);
      assert.match(line.stack ?? "", frame);
      // A callback that has returned, or awaited something, is not on the stack any more.
      const isRunning = event === "hold";
      assert.equal(line.topic, isRunning ? "room:loud" : undefined);
      assert.equal(line.event, isRunning ? "hold" : undefined);
      await areServed(port, 1);
      await isServed(other);
      command.kill("SIGTERM");
      const codes = await Promise.all([stuck.closed(DEADLINE_MS), other.closed(DEADLINE_MS)]);
      assert.deepEqual(
        codes.map(({ code }) => code),
        [1012, 1012],
      );
      const { code, signal, out } = await command.ended();
      assert.deepEqual({ code, signal }, { code: 0, signal: null });
      for (const shard of [0, 1]) assert.match(out, new RegExp(`^stopped shard ${shard}$`, "m"));
      // A promise whose continuation was ended never settles, so its channel cannot go on.
      const terminated = event === "hold_later" ? [1] : [0, 1];
      for (const shard of terminated) {
        assert.match(out, new RegExp(`^terminate on shard ${shard}$`, "m"));
      }
    });
  }

  for (const event of ["hold", "hold_in_timer", "hold_in_immediate", "hold_later"]) {
    it(`in ${event} closes on SIGTERM, even if its app watches asynchronous contexts`, async () => {
      await using command = served({ STUCK_CONTEXTS: "1" });
      const [stuck, other] = await onBothShards(await command.port());
      stuck.push("room:loud", event, { how: "loop" });
      await command.logged("shard stuck");
      command.kill("SIGTERM");
      const codes = await Promise.all([stuck.closed(DEADLINE_MS), other.closed(DEADLINE_MS)]);
      assert.deepEqual(
        codes.map(({ code }) => code),
        [1012, 1012],
      );
      const { code, signal } = await command.ended();
      assert.deepEqual({ code, signal }, { code: 0, signal: null });
      assert.doesNotMatch(command.err, /uncaught exception/);
    });
  }

  it("by JSON.parse is logged with topic and event, and serves again", async () => {
    await using command = served();
    const [stuck] = await onBothShards(await command.port());
    const reply = stuck.push("room:loud", "hold", { how: "parse", ms: 12 });
    await command.logged("shard stuck");
    const [line] = linesOf(command.err, STUCK);
    const { topic, event, stack } = line ?? {};
    assert.deepEqual(
      { topic, event, stack },
      { topic: "room:loud", event: "hold", stack: undefined },
    );
    await command.logged("runs again");
    assert.equal((await stuck.replyTo(reply)).status, "ok");
    command.kill("SIGTERM");
    assert.equal((await command.ended()).code, 0);
  });

  it("by code that cannot be interrupted costs an exit code, when all other clients have been told", async () => {
    await using command = served();
    const [stuck, other] = await onBothShards(await command.port());
    stuck.push("room:loud", "hold", { how: "program", ms: 60_000 });
    await command.logged("shard stuck");
    command.kill("SIGTERM");
    assert.equal((await other.closed(DEADLINE_MS)).code, 1012);
    const { code, signal, out, err } = await command.ended();
    const expected = hasExecve ? { code: 71, signal: null } : { code: null, signal: "SIGKILL" };
    assert.deepEqual({ code, signal }, expected);
    assert.match(out, /^stopped shard 1$/m);
    assert.equal(linesOf(err, /cannot be ended/).length, 1);
    await stuck.closed(DEADLINE_MS);
  });

  it("serves again when its loop turns; readiness, statistics and telemetry agree", async () => {
    child = await startChild("stuck.main", [], { ...ENVIRONMENT, SIMURGH_SHARDS: "1" });
    const client = await Client.connect(child.port);
    await joined(client, "room:loud");
    const held = client.push("room:loud", "hold", { how: "spin", ms: 3_000 });
    const during = await reported(child, "the stuck shard", ({ stuck }) => stuck === 1);
    assert.equal(during.isReady, false);
    if (noTurns === false) {
      const refused = await fetch(`http://127.0.0.1:${child.port}/healthz`);
      assert.equal(refused.status, 503);
      assert.equal(refused.headers.get("connection"), "close");
    }
    assert.equal((await client.replyTo(held)).status, "ok");
    // With the portable engine, the node is ready once the shard listens again.
    const after = await reported(
      child,
      "its return",
      ({ stuck, isReady }) => stuck === 0 && (isReady || noTurns === false),
    );
    const { events, slow } = await reported(
      child,
      "both events",
      ({ events: all }) => all.length > 1,
    );
    assert.equal(after.isReady, true);
    assert.deepEqual(
      events.map(([name, { shard, isStuck, topic }]) => [name, shard, isStuck, topic]),
      [
        ["shard_stuck", 0, true, "room:loud"],
        ["shard_stuck", 0, false, undefined],
      ],
    );
    assert.deepEqual(slow, [1]);
    assert.equal((await fetch(`http://127.0.0.1:${child.port}/healthz`)).status, 200);
    await client.cut();
  });

  it("does not keep the host from exiting with its own code", async () => {
    child = await startChild("stuck.main", [], { ...ENVIRONMENT, SIMURGH_SHARDS: "2" });
    const [stuck, other] = await onBothShards(child.port);
    stuck.push("room:loud", "hold", { how: "loop" });
    await reported(child, "the stuck shard", (said) => said.stuck === 1);
    child.process.send("exit");
    assert.deepEqual(await child.exited(), { code: 7, signal: null });
    await Promise.all([stuck.closed(), other.closed()]);
  });
});

describe("a callback that holds its loop for a while", { skip: noSecondShard }, () => {
  it("is reported once with topic, event and time; a short one is not", async () => {
    await using command = served({ SIMURGH_STALL_MS: "60000" });
    const [client] = await onBothShards(await command.port());
    await client.replyTo(client.push("room:loud", "hold", { how: "spin", ms: 5 }));
    await client.replyTo(client.push("room:loud", "hold", { how: "spin", ms: 400 }));
    await client.replyTo(client.push("room:loud", "hold", { how: "spin", ms: 400 }));
    await command.logged("held its shard's event loop");
    const lines = linesOf(command.err, /held its shard's event loop/);
    assert.deepEqual(
      lines.map(({ topic, event }) => [topic, event]),
      [["room:loud", "hold"]],
    );
    const { durationMs = 0 } = lines[0] ?? {};
    assert.ok(durationMs >= 100, `it took ${durationMs} ms`);
    await client.cut();
  });
});

describe("a node", () => {
  it("exits with 70 when its shards have ended too often", async () => {
    const args = ["serve", APP, "--host", "127.0.0.1", "--port", "0", "--shards", "1"];
    await using command = new CommandLine(args, ENVIRONMENT);
    const port = await command.port();
    let hasEnded = false;
    const ended = command.ended().finally(() => {
      hasEnded = true;
    });
    while (!hasEnded) {
      const client = await Client.connect(port).catch(() => undefined);
      const shard = client && (await joined(client, "room:1").catch(() => undefined));
      if (shard !== undefined) client?.push("room:1", "exit_shard");
      await client?.closed(DEADLINE_MS).catch(() => undefined);
    }
    const { code, signal, err } = await ended;
    assert.deepEqual({ code, signal }, { code: 70, signal: null });
    assert.equal(linesOf(err, /^no shard serves any more/).length, 1);
  });

  it("exits with 70 when all shards have been stuck for 30 times the stall time", async () => {
    const args = ["serve", APP, "--host", "127.0.0.1", "--port", "0", "--shards", "1"];
    await using command = new CommandLine(args, ENVIRONMENT);
    const client = await Client.connect(await command.port());
    await joined(client, "room:1");
    client.push("room:1", "hold", { how: "loop" });
    await command.logged("shard stuck");
    const { code, signal, err } = await command.ended();
    assert.deepEqual({ code, signal }, { code: 70, signal: null });
    assert.equal(linesOf(err, /^no shard serves any more/).length, 1);
    await client.closed();
  });

  it("can end a callback of a timer also if it was started with flags of V8", async () => {
    child = await startChild("stuck.main", [], { ...ENVIRONMENT, SIMURGH_SHARDS: "1" }, [
      "--expose-gc",
      "--max-old-space-size=1000",
    ]);
    const client = await Client.connect(child.port);
    await joined(client, "room:1");
    await client.replyTo(client.push("room:1", "hold_in_timer", { how: "loop" }));
    await reported(child, "the stuck shard", (said) => said.stuck === 1);
    child.process.send("exit");
    assert.deepEqual(await child.exited(), { code: 7, signal: null });
    await client.closed();
  });

  it(
    "names the shard that runs out of memory, and what it ran",
    { skip: noSecondShard },
    async () => {
      await using command = served({ SIMURGH_OLD_GENERATION_MB: "64", SIMURGH_STALL_MS: "60000" });
      const [other, client] = await onBothShards(await command.port());
      client.push("room:loud", "hold", { how: "allocate" });
      if (noTurns !== false) {
        // The thread ends alone.
        await command.logged("shard replaced");
        const [ended] = linesOf(command.err, /^shard ended unexpectedly/);
        assert.equal(ended?.shard, 1);
        await isServed(other);
        await other.close();
        await client.closed();
        return;
      }
      const { code, signal, err } = await command.ended();
      // The engine may abort before main has written the line, if the machine is busy.
      const expected = signal === "SIGABRT" || (hasExecve ? code === 72 : signal === "SIGKILL");
      assert.ok(expected, `code ${code}, signal ${signal}`);
      const [line] = linesOf(err, /out of memory/);
      const { shard, topic, event } = line ?? {};
      assert.deepEqual({ shard, topic, event }, { shard: 1, topic: "room:loud", event: "hold" });
    },
  );
});
