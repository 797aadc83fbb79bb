/**
 * A server whose standard output and standard error are read, are not read, or are closed.
 *
 * Runs on: the main thread of the tests; each server is a process of its own.
 * Slow: each test starts a process.
 */

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { afterEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { within } from "../support/deadline.ts";
import { Fifo } from "../support/fifo.ts";

const MAIN = fileURLToPath(new URL("../apps/output.main.js", import.meta.url));
/** Prints more than the pipes and the queue hold. */
const FLOOD = "print/10000";
const ENDS = [
  ["SIGTERM", 0],
  ["exit", 7],
  ["throw", 1],
] as const;

let child: ChildProcess | undefined;
let fifos: Fifo[] = [];

/** Starts a server, and returns its port. */
async function start(output: "pipe" | readonly [Fifo, Fifo]): Promise<number> {
  const streams = output === "pipe" ? ["pipe", "pipe"] : output.map(({ descriptor }) => descriptor);
  const started = spawn(process.execPath, [MAIN], {
    stdio: ["ignore", ...streams, "ipc"],
  } as never);
  child = started;
  const [{ port }] = (await within(once(started, "message"), "the port")) as [{ port: number }];
  return port;
}

async function fetched(port: number, path: string): Promise<string> {
  const response = await within(fetch(`http://127.0.0.1:${port}/${path}`), `an answer to ${path}`);
  return response.text();
}

/** Ends the server in one of three ways, and returns its exit code. */
async function ended(how: (typeof ENDS)[number][0]): Promise<unknown> {
  assert.ok(child);
  const exited = once(child, "exit");
  if (how === "SIGTERM") child.kill(how);
  else child.send(how);
  const [code, signal] = await within(exited, "the end of the server");
  return code ?? signal;
}

/** Collects what arrives in a stream. */
function collected(stream: NodeJS.ReadableStream | null | undefined): () => string {
  let text = "";
  stream?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

describe("A server's output", () => {
  afterEach(() => {
    child?.kill("SIGKILL");
    child = undefined;
    for (const fifo of fifos) fifo.remove();
    fifos = [];
  });

  for (const [how, code] of ENDS) {
    it(`may be a socket that nobody reads: it serves, and ends by ${how} with ${code}`, async () => {
      const port = await start("pipe");
      assert.equal(await fetched(port, FLOOD), "printed");
      assert.equal(await fetched(port, FLOOD), "printed");
      assert.equal(await ended(how), code);
    });

    it(`may be a socket that is closed: it serves, and ends by ${how} with ${code}`, async () => {
      const port = await start("pipe");
      child?.stdout?.destroy();
      child?.stderr?.destroy();
      assert.equal(await fetched(port, FLOOD), "printed");
      assert.equal(await fetched(port, FLOOD), "printed");
      assert.equal(await ended(how), code);
    });

    it(`may be a pipe that nobody reads: it serves, and ends by ${how} with ${code}`, async () => {
      const pipes = [new Fifo(), new Fifo()] as const;
      fifos = [...pipes];
      const port = await start(pipes);
      assert.equal(await fetched(port, FLOOD), "printed");
      assert.equal(await fetched(port, FLOOD), "printed");
      assert.equal(await ended(how), code);
      for (const { descriptor } of pipes) closeSync(descriptor);
    });

    it(`has the last lines if somebody reads, when it ends by ${how}`, async () => {
      const port = await start("pipe");
      const [out, err] = [collected(child?.stdout), collected(child?.stderr)];
      const closed = once(child as ChildProcess, "close");
      assert.equal(await fetched(port, "print/5"), "printed");
      assert.equal(await ended(how), code);
      await within(closed, "the end of its streams");
      assert.match(out(), /^out 0 x{200}\n[^]*out 4 x{200}\n/);
      assert.match(err(), /err 0 x{200}\n[^]*err 4 x{200}\n/);
      if (how === "SIGTERM") assert.match(err(), /"msg":"drained"/);
      if (how === "throw") assert.match(err(), /Error: thrown in the host/);
    });
  }

  it("has what a shard printed just before it ended", async () => {
    const port = await start("pipe");
    const [out, err] = [collected(child?.stdout), collected(child?.stderr)];
    await fetched(port, "die");
    const exited = once(child as ChildProcess, "close");
    while (!err().includes("shard replaced")) await once(child?.stderr as never, "data");
    assert.equal(await ended("SIGTERM"), 0);
    await within(exited, "the end of its streams");
    assert.equal(out(), "last words on stdout\n");
    assert.match(err(), /last words on stderr\n[^]*process\.exit was called in a shard/);
  });

  it("is counted if it was dropped, and a line says so when it is read again", async () => {
    const port = await start("pipe");
    await fetched(port, FLOOD);
    const answered = once(child as ChildProcess, "message");
    child?.send("stats");
    const [{ dropped }] = (await answered) as [{ dropped: number }];
    assert.ok(dropped > 0);
    const [out, err] = [collected(child?.stdout), collected(child?.stderr)];
    const isSaid = (): boolean => /"stream":"stdout"[^]*"stream":"stderr"/.test(err());
    while (!isSaid()) await within(once(child?.stderr as never, "data"), "both counts");
    const counts = [...err().matchAll(/"count":(\d+)/g)].map(([, count]) => Number(count));
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      dropped,
    );
    // What was written may still be on its way to us.
    const printed = (): number => (out() + err()).match(/^(?:out|err) /gm)?.length ?? 0;
    while (printed() + dropped < 20_000) {
      await within(once(child?.stdout as never, "data"), "all that was not dropped");
    }
    assert.equal(printed() + dropped, 20_000);
  });
});
