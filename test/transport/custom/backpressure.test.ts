/**
 * Backpressure from the clients of custom transports: when a transport is told to stop reading, and to read on.
 *
 * Runs on: the test's thread, with a whole shard; the test is the transport.
 */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";

import { ok, reply } from "../../../src/callbacks/results.ts";
import { defineChannel } from "../../../src/channel/definition.ts";
import type { Options } from "../../../src/options/options.ts";
import { defineSocket } from "../../../src/socket/definition.ts";
import { defineRawSocket } from "../../../src/socket/raw-definition.ts";
import { defineTransport } from "../../../src/transport/custom/definition.ts";
import type {
  TransportClient,
  TransportConnection,
  TransportHost,
} from "../../../src/transport/custom/definition.ts";
import { within } from "../../support/deadline.ts";
import { startShard, type TestShard } from "../../support/shard.ts";
import { Deferred, turn } from "../../support/world.ts";

const JOIN = '["1","1","room:1","phx_join",{}]';
const ADDRESS = "192.0.2.1";
/** What clients may use of a turn (ms), and the messages of a client that are always handled at once. */
const BUDGET_MS = 10;
const LIGHT_MESSAGES = 8;

/** A client that records what it gets. */
class Client implements TransportClient {
  readonly frames: string[] = [];
  readonly closes: number[] = [];
  resumes = 0;
  #resumed = new Deferred<void>();

  send(frame: string | Uint8Array): void {
    this.frames.push(Buffer.from(frame).toString());
  }

  close(code: number): void {
    this.closes.push(code);
  }

  resume(): void {
    this.resumes += 1;
    this.#resumed.resolve();
    this.#resumed = new Deferred();
  }

  async resumed(): Promise<void> {
    await within(this.#resumed.promise, "the resume");
  }

  /** Numbers of the messages that were answered, in order. */
  get answered(): number[] {
    return this.frames.map((frame) => Number(/"response":\{"n":(\d+)/.exec(frame)?.[1]));
  }
}

function spend(durationMs: number): void {
  const end = performance.now() + durationMs;
  while (performance.now() < end);
}

const socket = defineSocket({ connect: () => ok({}) });
const serial = defineSocket({ joins: "serial", connect: () => ok({}) });
/** What holds the joins of the serial socket. */
let joining = new Deferred<void>();
const channels = {
  "room:*": defineChannel(socket, {
    join: () => ok(),
    handleIn: {
      echo: (_, payload) => ok(payload),
      spend: () => spend(BUDGET_MS + 1),
      shout: (each, payload) => each.broadcastFrom("shout", payload),
    },
  }),
};
const held = {
  "room:*": defineChannel(serial, {
    async join() {
      await joining.promise;
      return ok();
    },
    handleIn: { echo: (_, payload) => ok(payload) },
  }),
};
/** What holds the messages of the raw socket. */
let handling = new Deferred<void>();
const raw = defineRawSocket({
  connect: () => ok({}),
  async handleIn(_, { data }) {
    if (data === "wait") await handling.promise;
    return reply("ok", { opcode: "text", data });
  },
});

interface World {
  readonly shard: TestShard;
  readonly host: TransportHost;
}

const shards: TestShard[] = [];
after(() => {
  for (const shard of shards) shard.close();
});

async function serving(options: Options = {}): Promise<World> {
  const started = new Deferred<TransportHost>();
  const line = defineTransport({ name: "line", start: (host) => started.resolve(host) });
  const sockets = {
    "/socket": { socket, channels },
    "/serial": { socket: serial, channels: held },
    "/raw": { socket: raw },
  };
  const shard = await startShard({ sockets, transports: [line] }, options);
  shards.push(shard);
  return { shard, host: await started.promise };
}

async function opened(
  { host }: World,
  client: TransportClient,
  path = "/socket",
): Promise<TransportConnection> {
  const connectInfo = { peerData: { address: ADDRESS } };
  const decision = await host.connect({ path, params: { vsn: "2.0.0" }, connectInfo });
  assert.ok(decision.result === "ok");
  return decision.open(client);
}

/** Connects a client that has joined a topic, in a turn of its own. */
async function joined(world: World, client: Client): Promise<TransportConnection> {
  const connection = await opened(world, client);
  assert.equal(connection.receive(JOIN), true);
  client.frames.splice(0);
  await turn();
  return connection;
}

function messageOf(n: number, event = "echo", fill = ""): string {
  return `["1","${n}","room:1","${event}",{"n":${n},"fill":"${fill}"}]`;
}

/** Passes on messages until the client has to wait. Returns the number of the last, which waits. */
function exhaust(connection: TransportConnection): number {
  for (let n = 1; n <= LIGHT_MESSAGES; n += 1) assert.equal(connection.receive(messageOf(n)), true);
  // The first that may have to wait starts the turn's time.
  while (connection.receive(messageOf(0, "spend")));
  const last = LIGHT_MESSAGES + 1;
  assert.equal(connection.receive(messageOf(last)), false);
  return last;
}

describe("a client of a custom transport", () => {
  it("waits when the turn's budget is spent, and its transport reads on when all is handled", async () => {
    const world = await serving();
    const client = new Client();
    const connection = await joined(world, client);
    const last = exhaust(connection);
    assert.equal(client.answered.includes(last), false);
    assert.equal(client.resumes, 0);
    await client.resumed();
    assert.equal(client.answered.includes(last), true);
    assert.equal(client.resumes, 1);
    assert.equal(connection.receive(messageOf(last + 1)), true);
    assert.equal(client.answered.at(-1), last + 1);
  });

  it("has its frames handled in order, text and bytes, which may be reused at once", async () => {
    const world = await serving();
    const client = new Client();
    const connection = await joined(world, client);
    const last = exhaust(connection);
    const bytes = Buffer.from(`0001010604${Buffer.from("17room:1echohi").toString("hex")}`, "hex");
    assert.equal(connection.receive(bytes), false);
    bytes.fill(0);
    assert.equal(connection.receive(messageOf(last + 1, "echo", "é")), false);
    await client.resumed();
    const [binary = "", text = ""] = client.frames.slice(-2);
    assert.match(binary, /hi$/);
    assert.match(text, /"fill":"é"/);
  });

  it("does not wait because of another one", async () => {
    const world = await serving();
    const [busy, quiet] = [new Client(), new Client()];
    const connection = await joined(world, busy);
    const other = await joined(world, quiet);
    exhaust(connection);
    assert.equal(other.receive(messageOf(1)), true);
    assert.deepEqual(quiet.answered, [1]);
    await busy.resumed();
    assert.equal(quiet.resumes, 0);
  });

  it("is cut when too much waits, and its address has to pause", async () => {
    const world = await serving({ floodPauseMs: 1_000 });
    const client = new Client();
    const connection = await joined(world, client);
    let last = exhaust(connection);
    const fill = "x".repeat(10_000);
    while (connection.isOpen) {
      last += 1;
      assert.ok(last < 100, "it is never cut");
      assert.equal(connection.receive(messageOf(last, "echo", fill)), false);
    }
    assert.ok(last > 26, "it is cut before 256 KiB wait");
    assert.deepEqual(client.closes, [1006]);
    assert.equal(world.shard.counter("floodCut"), 1);
    const asked = async (address: string): Promise<string> => {
      const connectInfo = { peerData: { address } };
      const params = { vsn: "2.0.0" };
      return (await world.host.connect({ path: "/socket", params, connectInfo })).result;
    };
    assert.deepEqual([await asked(ADDRESS), await asked("192.0.2.2")], ["limited", "ok"]);
    assert.equal(world.shard.counter("floodPaused"), 1);
    const answers = client.frames.length;
    await turn();
    assert.deepEqual([client.frames.length, client.resumes], [answers, 0]);
    assert.equal(world.shard.counter("channels"), 0);
  });

  it("that goes away has its waiting frames handled first", async () => {
    const world = await serving();
    const [client, listener] = [new Client(), new Client()];
    const connection = await joined(world, client);
    await joined(world, listener);
    exhaust(connection);
    connection.receive(messageOf(1, "shout"));
    connection.closed();
    assert.equal(connection.receive(messageOf(2, "shout")), false);
    assert.equal(world.shard.counter("channels"), 2);
    // Both in turns that begin after this one.
    for (let turns = 0; turns < 3; turns += 1) await turn();
    assert.equal(listener.frames.length, 1);
    assert.equal(world.shard.counter("channels"), 1);
    assert.equal(client.resumes, 0);
  });

  it("of a serial socket waits for its join", async () => {
    const world = await serving();
    const client = new Client();
    joining = new Deferred();
    const connection = await opened(world, client, "/serial");
    assert.equal(connection.receive(JOIN), false);
    assert.equal(connection.receive(messageOf(2)), false);
    for (let turns = 0; turns < 3; turns += 1) await turn();
    assert.deepEqual([client.frames, client.resumes], [[], 0]);
    joining.resolve();
    await client.resumed();
    assert.equal(client.frames.length, 2);
    assert.equal(client.resumes, 1);
    assert.equal(connection.receive(messageOf(3)), true);
  });

  it("of a raw socket waits for its handler, each time", async () => {
    const world = await serving();
    const client = new Client();
    const connection = await opened(world, client, "/raw");
    for (let n = 1; n <= 2; n += 1) {
      handling = new Deferred();
      assert.equal(connection.receive("wait"), false);
      assert.equal(client.resumes, n - 1);
      handling.resolve();
      await client.resumed();
      assert.deepEqual([client.frames.length, client.resumes], [n, n]);
    }
  });

  it("needs no resume", async () => {
    const world = await serving();
    const client = new Client();
    Object.defineProperty(client, "resume", { value: undefined });
    const connection = await joined(world, client);
    const last = exhaust(connection);
    for (let turns = 0; turns < 3; turns += 1) await turn();
    assert.equal(client.answered.includes(last), true);
    assert.equal(connection.receive(messageOf(last + 1)), true);
  });

  it("is lost if its resume throws", async () => {
    const world = await serving();
    const client = new Client();
    const cut = new Deferred<void>();
    client.close = () => cut.resolve();
    client.resume = () => {
      throw new Error("boom");
    };
    exhaust(await joined(world, client));
    await within(cut.promise, "the cut");
    assert.equal(world.shard.counter("connections"), 0);
  });
});
