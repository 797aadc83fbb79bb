/**
 * Histories over a restart of the process: clients that come back with their position go on from there
 * if it stopped in order, and are told that something is missing if it did not.
 *
 * Runs on: the main thread of the tests; each server is a process of its own.
 * Slow: starts many processes.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";

import { ServerProcess } from "../../scripts/suites/server-process.ts";
import { HistoryClient } from "../support/history-client.ts";

const APP = new URL("../apps/histories.js", import.meta.url);
const LIVE = { history: null };
const STOP_MS = 20_000;

describe("The histories of a process", () => {
  let directory: string;
  let file: string;
  let tests = 0;
  let server: ServerProcess | undefined;
  const clients: HistoryClient[] = [];
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "simurgh-history-"));
  });
  after(async () => {
    await rm(directory, { recursive: true });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.cut();
    await server?.stop(STOP_MS);
    server = undefined;
  });

  /** Runs a test with a file of its own. */
  function test(what: string, run: () => Promise<void>): void {
    it(what, async () => {
      tests += 1;
      file = join(directory, `histories ${tests}`);
      await run();
    });
  }

  async function start(env: Record<string, string> = {}): Promise<ServerProcess> {
    server = await ServerProcess.start({
      app: APP,
      shards: 2,
      env: { SIMURGH_HISTORY_FILE: file, ...env },
    });
    return server;
  }

  async function stop(): Promise<void> {
    assert.deepEqual(await server?.stop(STOP_MS), { code: 0, signal: null });
  }

  async function kill(): Promise<void> {
    const ended = new Promise<void>((resolve) => server?.onEnd(resolve));
    server?.signal("SIGKILL");
    await ended;
  }

  async function connect(user = "ann"): Promise<HistoryClient> {
    assert.ok(server);
    const client = await HistoryClient.connect(server.port, { user });
    clients.push(client);
    return client;
  }

  async function joined(topic: string, payload: object = LIVE): Promise<HistoryClient> {
    const client = await connect();
    await client.joined(topic, payload);
    return client;
  }

  /** Comes back with a position. @returns the history of the reply, and the next frames */
  async function back(
    topic: string,
    epoch: string,
    at: number,
    count: number,
  ): Promise<{ readonly client: HistoryClient; readonly seen: readonly string[] }> {
    const client = await connect();
    const reply = await client.rejoined(topic, epoch, at);
    return { client, seen: [reply, ...(await client.take(count))] };
  }

  function said(topic: string, at: number, n = at): string {
    return `[null,+${at},"${topic}","said",{"n":${n}}]`;
  }

  function history(at: number, count: number, recovered = true): string {
    return `{"history":{"epoch":E,"offset":+${at},"recovered":${recovered},"count":${count}}}`;
  }

  /** Has a client say numbers, and waits until they are kept. */
  async function say(client: HistoryClient, topic: string, numbers: readonly number[]): Promise<void> {
    for (const n of numbers) {
      await client.push(topic, "say", { n });
      assert.equal(await client.next(), said(topic, n));
    }
  }

  test("go on with the same epoch and offsets after an orderly stop", async () => {
    await start();
    const topic = "long:1";
    const first = await joined(topic);
    const { epoch } = first;
    await say(first, topic, [1, 2, 3]);
    await stop();
    await start();
    const { client, seen } = await back(topic, epoch, 1, 2);
    assert.deepEqual(seen, [history(1, 2), said(topic, 2), said(topic, 3)]);
    assert.equal(client.epoch, epoch);
    await say(client, topic, [4]);
    await client.nothingMore();
    await stop();
    await start();
    assert.deepEqual((await back(topic, epoch, 3, 1)).seen, [history(3, 1), said(topic, 4)]);
    assert.deepEqual((await back(topic, epoch, 4, 0)).seen, [history(4, 0)]);
  });
});
