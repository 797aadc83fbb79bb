/**
 * Histories over a restart: clients that come back with their position go on from there if the server
 * stopped in order, and are told that something may be missing if it did not.
 *
 * Runs on: the main thread of the tests, which is also the main thread of most servers; servers that are
 *       ended by signals are processes of their own.
 * Slow: starts many servers.
 */

import assert from "node:assert/strict";
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import type { Worker } from "node:worker_threads";

import { FORMAT, HistoryFileReader } from "../../src/history/history-file.ts";
import { LOG_LINES } from "../../src/index.ts";
import { memoryAdapter } from "../../src/raw.ts";
import { ServerProcess } from "../../scripts/suites/server-process.ts";
import { HistoryClient } from "../support/history-client.ts";
import { startServer, type Server } from "../support/server.ts";
import { onWorker } from "../support/workers.ts";

const APP = new URL("../apps/histories.js", import.meta.url);
const LIVE = { history: null };
const STOP_MS = 20_000;
const TOPIC = "long:1";

async function stop(server: ServerProcess): Promise<void> {
  assert.deepEqual(await server.stop(STOP_MS), { code: 0, signal: null });
}

async function kill(server: ServerProcess): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    server.onEnd(resolve);
  });
  server.signal("SIGKILL");
  await ended;
}

function said(at: number, topic = TOPIC): string {
  return `[null,+${at},"${topic}","said",{"n":${at}}]`;
}

function history(at: number, count: number, recovered = true): string {
  return `{"history":{"epoch":E,"offset":+${at},"recovered":${recovered},"count":${count}}}`;
}

/** Has a client say numbers, and waits until they are kept. */
async function say(client: HistoryClient, numbers: readonly number[]): Promise<void> {
  for (const n of numbers) {
    await client.push(TOPIC, "say", { n });
    assert.equal(await client.next(), said(n));
  }
}

/** Returns what the reply to a join says. */
function replied(reply: string): { offset: number; recovered: boolean; count: number } {
  const groups = /"offset":\+(\d+),"recovered":(\w+),"count":(\d+)/.exec(reply);
  assert.ok(groups, reply);
  const [, offset, recovered, count] = groups;
  return { offset: Number(offset), recovered: recovered === "true", count: Number(count) };
}

/** Has the host keep numbers. @returns the epoch */
async function keep(server: Server, numbers: readonly number[], topic = TOPIC): Promise<string> {
  let epoch = "";
  for (const n of numbers) ({ epoch } = await server.publish(topic, "said", { n }));
  return epoch;
}

describe("Histories over a restart", () => {
  let directory: string;
  let file: string;
  let tests = 0;
  const servers: Server[] = [];
  const processes: ServerProcess[] = [];
  const clients: HistoryClient[] = [];
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "simurgh-history-"));
  });
  after(async () => {
    await rm(directory, { recursive: true });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.cut();
    await Promise.all(servers.splice(0).map((server) => server.close()));
    await Promise.all(processes.splice(0).map((server) => server.stop(STOP_MS)));
  });

  /** Runs a test with files of its own. */
  function test(what: string, run: () => Promise<void>): void {
    it(what, async () => {
      tests += 1;
      await mkdir(join(directory, String(tests)));
      file = join(directory, String(tests), "histories");
      await run();
    });
  }

  async function serve(options: Parameters<typeof startServer>[1] = {}): Promise<Server> {
    const server = await startServer("histories", { shards: 1, historyFile: file, ...options });
    servers.push(server);
    return server;
  }

  async function spawn(): Promise<ServerProcess> {
    const env = { SIMURGH_HISTORY_FILE: file };
    const server = await ServerProcess.start({ app: APP, shards: 2, env });
    processes.push(server);
    return server;
  }

  async function connect(port: number): Promise<HistoryClient> {
    const client = await HistoryClient.connect(port);
    clients.push(client);
    return client;
  }

  async function joined(port: number): Promise<HistoryClient> {
    const client = await connect(port);
    await client.joined(TOPIC, LIVE);
    return client;
  }

  /** Checks that a client recovers what follows a position, and nothing else. */
  async function assertRecovers(
    port: number,
    { epoch, from, to, topic = TOPIC }: { epoch: string; from: number; to: number; topic?: string },
  ): Promise<void> {
    const client = await connect(port);
    assert.equal(await client.rejoined(topic, epoch, from), history(from, to - from));
    for (let at = from + 1; at <= to; at += 1) assert.equal(await client.next(), said(at, topic));
    await client.nothingMore();
    assert.equal(client.epoch, epoch);
  }

  /** Checks that a client is told that something is missing, in another epoch. */
  async function assertLost(port: number, epoch: string, at: number, head = 0): Promise<void> {
    const client = await connect(port);
    assert.equal(await client.rejoined(TOPIC, epoch, at), history(head, 0, false));
    assert.notEqual(client.epoch, epoch);
  }

  describe("of a process", () => {
    test("go on after SIGTERM, with the same epochs and offsets", async () => {
      const first = await spawn();
      const client = await joined(first.port);
      const { epoch } = client;
      await say(client, [1, 2, 3]);
      await stop(first);
      assert.equal((await stat(`${file}.0`)).mode & 0o777, 0o600);
      const second = await spawn();
      await assertRecovers(second.port, { epoch, from: 1, to: 3 });
      await assertRecovers(second.port, { epoch, from: 3, to: 3 });
      await say(await joined(second.port), [4]);
      await stop(second);
      const third = await spawn();
      await assertRecovers(third.port, { epoch, from: 2, to: 4 });
    });

    test("are complete for a client that was connected when it was stopped, and others spoke", async () => {
      const first = await spawn();
      const listener = await joined(first.port);
      const { epoch } = listener;
      const talkers = [await connect(first.port), await connect(first.port)];
      for (const talker of talkers) await talker.joined(TOPIC, {});
      const COUNT = 2_000;
      for (let n = 0; n < COUNT; n += 1) {
        for (const talker of talkers) await talker.push(TOPIC, "say", { n });
      }
      const seen = await listener.take(10);
      const stopped = stop(first);
      // Everything that arrives until the connection is closed.
      seen.push(...(await listener.rest()).filter((frame) => frame.startsWith("[null,")));
      await stopped;
      const second = await spawn();
      const client = await connect(second.port);
      const reply = await client.rejoined(TOPIC, epoch, seen.length);
      const { offset, recovered, count } = replied(reply);
      assert.deepEqual([recovered, offset], [true, seen.length]);
      seen.push(...(await client.take(count)));
      await client.nothingMore();
      assert.deepEqual(
        seen.map((frame) => Number(/^\[null,\+(\d+),/.exec(frame)?.[1])),
        Array.from({ length: offset + count }, (_, at) => at + 1),
      );
    });

    test("begin new epochs after SIGKILL, whatever an earlier process saved", async () => {
      const first = await spawn();
      const client = await joined(first.port);
      const { epoch } = client;
      await say(client, [1]);
      await stop(first);
      const second = await spawn();
      await say(await joined(second.port), [2]);
      await kill(second);
      const third = await spawn();
      assert.equal(third.log.count("historyNotFound"), 1);
      await assertLost(third.port, epoch, 2);
      assert.deepEqual(await readdir(join(file, "..")), ["histories.0.part"]);
    });

    test("begin new epochs if the file is damaged, with one line", async () => {
      const first = await spawn();
      const client = await joined(first.port);
      const { epoch } = client;
      await say(client, [1]);
      await stop(first);
      const saved = await readFile(`${file}.0`);
      saved.writeUInt8(saved.readUInt8(saved.length - 40) ^ 1, saved.length - 40);
      await writeFile(`${file}.0`, saved);
      const second = await spawn();
      assert.equal(second.log.count("historyNotRestored"), 1);
      await assertLost(second.port, epoch, 1);
      await say(await joined(second.port), [1]);
      await stop(second);
      assert.equal(second.log.count("historySaved"), 1);
    });
  });

  test("go on with another number of threads", async () => {
    const topics = Array.from({ length: 12 }, (_, at) => `long:of ${at}`);
    const epochs = new Map<string, string>();
    const first = await serve({ historyThreads: 3 });
    for (const topic of topics) epochs.set(topic, await keep(first, [1, 2], topic));
    await first.close();
    let to = 2;
    for (const historyThreads of [1, 2, 4]) {
      const server = await serve({ historyThreads });
      for (const topic of topics) {
        const epoch = epochs.get(topic) as string;
        await assertRecovers(server.port, { epoch, from: 1, to, topic });
        assert.equal(await keep(server, [to + 1], topic), epoch);
      }
      to += 1;
      await server.close();
    }
    const saved = await readdir(join(file, ".."));
    const names = [0, 1, 2, 3].map((at) => `histories.${at}`);
    assert.deepEqual(saved.toSorted(), names);
  });

  test("have the bytes of this format: whoever changes them must raise FORMAT", async () => {
    const server = await serve();
    await keep(server, [1]);
    await server.close();
    const handle = await open(`${file}.0`);
    const messages: Buffer[] = [];
    const reader = new HistoryFileReader(handle.fd, () => {});
    reader.visit({
      onTopic: () => {},
      onMessage: (_offset, _timeMs, bytes) => messages.push(Buffer.from(bytes)),
      onKey: () => {},
    });
    await handle.close();
    const frame = '[null,null,"long:1","said",{"n":1}]';
    const words = [32 + 12, 6, 32 + 21, 4, 32 + 27, 7, frame.length];
    assert.equal(FORMAT, 1);
    assert.deepEqual(
      messages.map((bytes) => bytes.subarray(4).toString("hex")),
      [
        Buffer.from(Int32Array.from(words).buffer).toString("hex") +
          Buffer.from(frame).toString("hex"),
      ],
    );
  });

  test("are not restored after a run of an app without histories", async () => {
    const first = await serve();
    const epoch = await keep(first, [1]);
    await first.close();
    const between = await startServer("channels", { shards: 1, historyFile: file });
    await between.close();
    assert.deepEqual(await readdir(join(file, "..")), []);
    await assertLost((await serve()).port, epoch, 1);
  });

  test("include the keys of publishes, so that a message which is published again is kept once", async () => {
    const first = await serve();
    const options = { idempotencyKey: "order 1" };
    const kept = await first.publish(TOPIC, "said", { n: 1 }, options);
    await first.close();
    const second = await serve();
    assert.deepEqual(await second.publish(TOPIC, "said", { n: 1 }, options), kept);
    await assertRecovers(second.port, { epoch: kept.epoch, from: 0, to: 1 });
  });

  test("are kept if a server could not start", async () => {
    const first = await serve();
    const epoch = await keep(first, [1, 2]);
    await first.close();
    const other = await serve({ historyFile: `${file} of another` });
    await assert.rejects(serve({ port: other.port }), { code: "SIM_ERR_LISTEN" });
    const second = await serve();
    await assertRecovers(second.port, { epoch, from: 1, to: 2 });
  });

  test("belong to the server that started last, if there are two", async () => {
    const first = await serve();
    const lost = await keep(first, [1]);
    const second = await serve();
    const epoch = await keep(second, [1, 2]);
    await second.close();
    await first.close();
    const third = await serve();
    await assertLost(third.port, lost, 1, 2);
    await assertRecovers(third.port, { epoch, from: 1, to: 2 });
  });

  test("are missing something if there are other nodes, which did not stop", async () => {
    const adapter = memoryAdapter({ hub: "history-file", nodeName: "ant" });
    const first = await serve({ adapter });
    const epoch = await keep(first, [1, 2]);
    await first.close();
    const second = await serve({ adapter });
    const client = await connect(second.port);
    assert.equal(await client.rejoined(TOPIC, epoch, 2), history(3, 0, false));
    assert.equal(client.epoch, epoch);
  });

  test("are complete if the host broadcasts until it stops, or miss something", async () => {
    const COUNT = 100;
    const small = { ringBytes: 4_096, overflowBytes: 65_536, overflowTotalBytes: 65_536 };
    const first = await serve(small);
    const epoch = await keep(first, [1]);
    const pad = "x".repeat(400);
    for (let n = 2; n <= COUNT; n += 1) first.broadcast(TOPIC, "said", { n, pad });
    // More than fits into the ring to the keeper.
    await first.close();
    const second = await serve();
    const client = await connect(second.port);
    const { recovered, count } = replied(await client.rejoined(TOPIC, epoch, 1));
    assert.equal(client.epoch, epoch);
    assert.ok(!recovered || count === COUNT - 1, `recovered ${count}`);
  });

  test("miss something if main tells their keeper that broadcasts of it are unsent", async () => {
    let keeper: Worker | undefined;
    const stopNoting = onWorker((worker) => (keeper = worker));
    const first = await serve();
    stopNoting();
    const epoch = await keep(first, [1, 2]);
    // As `Keepers.stop` does.
    keeper?.postMessage({ kind: "retire", member: 0, hasLost: true });
    await first.close();
    const second = await serve();
    const client = await connect(second.port);
    assert.equal(await client.rejoined(TOPIC, epoch, 2), history(3, 0, false));
    assert.equal(client.epoch, epoch);
  });

  /** Serves, keeps something and closes, and checks that the path is said to be unusable. */
  async function assertUnsaveable(historyFile: string): Promise<void> {
    const lines: string[] = [];
    const note = (_fields: object, text: string): void => void lines.push(text);
    const logger = { debug: note, info: note, warn: note, error: note };
    const server = await serve({ historyFile, logLevel: "error", logger });
    await keep(server, [1]);
    await server.close();
    assert.deepEqual(lines, [LOG_LINES.historyUnsaveable.text]);
  }

  test("end with the server if nothing can be written, which a line says", async () => {
    await assertUnsaveable(join(file, "missing", "histories"));
  });

  test("never take the place of other files, which a line says", async () => {
    const others = [
      ["histories.0", "log lines"],
      ["histories.7", "SIMURGH is a bird"],
      ["histories.0.part", "x"],
    ] as const;
    for (const [name, content] of others) {
      const other = join(file, "..", name);
      await writeFile(other, content);
      await assertUnsaveable(file);
      assert.equal(await readFile(other, "utf8"), content);
      await rm(other);
    }
    await mkdir(`${file}.0`);
    await assertUnsaveable(file);
    await rm(`${file}.0`, { recursive: true });
    // A file of histories that was cut short is replaced.
    await writeFile(`${file}.0`, "SIM");
    const server = await serve();
    await keep(server, [1]);
    await server.close();
    assert.equal((await readFile(`${file}.0`, "latin1")).slice(0, 8), "SIMURGHH");
  });
});
