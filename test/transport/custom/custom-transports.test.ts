/**
 * Custom transports: what they get, what they may do, and what ends their clients.
 *
 * Runs on: the test's thread, with a whole shard; the test is the transport.
 */

import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";

import { defineChannel } from "../../../src/channel/definition.ts";
import { error, ok } from "../../../src/callbacks/results.ts";
import type { Options } from "../../../src/options/options.ts";
import type { EndpointCallbacks } from "../../../src/endpoint/endpoint.ts";
import { defineSocket } from "../../../src/socket/definition.ts";
import type { ConnectRequest } from "../../../src/socket/connect-request.ts";
import { defineTransport } from "../../../src/transport/custom/definition.ts";
import type {
  TransportCallbacks,
  TransportClient,
  TransportConnection,
  TransportHost,
} from "../../../src/transport/custom/definition.ts";
import type { CustomConnection } from "../../../src/transport/custom/custom-connection.ts";
import type { RouteRequest } from "../../../src/transport/http/routes.ts";
import { within } from "../../support/deadline.ts";
import { atOnce, startShard } from "../../support/shard.ts";
import type { TestShard } from "../../support/shard.ts";
import { Deferred, turn } from "../../support/world.ts";

const JOIN = '["1","1","room:1","phx_join",{}]';
const OK = '{"status":"ok","response":{}}';
const JOINED = `["1","1","room:1","phx_reply",${OK}]`;

/** A client that records what it gets; the test sets how many bytes are unsent. */
class RecordingClient implements TransportClient {
  frames: string[] = [];
  closes: string[] = [];
  bufferedBytes = 0;
  #closed = new Deferred<void>();

  send(frame: string | Uint8Array): void {
    this.frames.push(
      typeof frame === "string" ? frame : `hex ${Buffer.from(frame).toString("hex")}`,
    );
  }

  close(code: number, text: string): void {
    this.closes.push(`${code} ${text}`.trim());
    this.#closed.resolve();
  }

  taken(): string[] {
    return this.frames.splice(0);
  }

  async closed(): Promise<string[]> {
    await within(this.#closed.promise, "the close");
    return this.closes;
  }
}

const shards: TestShard[] = [];
after(() => {
  for (const shard of shards) shard.close();
});

const requests: ConnectRequest[] = [];
const socket = defineSocket<Record<string, unknown>>({
  connect(request) {
    requests.push(request);
    const { refuse, boom } = request.params;
    if (boom !== undefined) throw new Error("boom");
    return refuse === undefined ? ok({ ...request.params }) : error({ reason: refuse });
  },
  id: ({ assigns }) => (assigns["user"] as string | undefined) ?? null,
});
const room = defineChannel(socket, {
  join: () => ok(),
  handleIn: {
    echo: (_, payload) => ok(payload),
    shout: (each, payload) => each.broadcast("shout", payload),
    shout_from: (each, payload) => each.broadcastFrom("shout", payload),
    flood: (each, bytes) => each.push("flood", { fill: "x".repeat(bytes as number) }),
  },
});
const latest = defineChannel(socket, { join: () => ok(), slow: "conflate" });

interface World {
  readonly shard: TestShard;
  readonly host: TransportHost;
  /** Connects to /socket. */
  readonly open: (
    client: TransportClient,
    params?: Record<string, string>,
  ) => Promise<TransportConnection>;
}

async function serving(
  callbacks: Partial<TransportCallbacks> = {},
  options: Options = {},
  endpoint: Partial<EndpointCallbacks> = {},
): Promise<World> {
  let host: TransportHost | undefined;
  const transport = defineTransport({
    name: "test line",
    ...callbacks,
    start(given) {
      host = given;
      return callbacks.start?.(given);
    },
  });
  const channels = { "room:*": room, "latest:*": latest };
  const shard = await startShard(
    {
      sockets: {
        "/socket": { socket, channels, websocket: false },
        "/org/:org/:_hidden/socket": { socket, channels },
      },
      transports: [transport],
      ...endpoint,
    },
    options,
  );
  shards.push(shard);
  const given = host ?? assert.fail("the transport was not started");
  return {
    shard,
    host: given,
    async open(client, params = {}) {
      const request = { path: "/socket", params: { vsn: "2.0.0", ...params } };
      const decision = await given.connect(request);
      assert.ok(decision.result === "ok");
      return decision.open(client);
    },
  };
}

/** Connects a client that has joined a topic. */
async function joined(
  world: World,
  client: RecordingClient,
  topic = "room:1",
): Promise<TransportConnection> {
  const connection = await world.open(client);
  connection.receive(JOIN.replace("room:1", topic));
  assert.deepEqual(client.taken(), [JOINED.replace("room:1", topic)]);
  return connection;
}

/** Returns a message with a number of bytes, of which most are filled with a text. */
function frameOf(bytes: number, fill: string): string {
  const frame = `["1","2","room:1","echo",{"fill":"${fill}"}]`;
  const left = bytes - Buffer.byteLength(frame);
  return frame.replace(fill, fill.repeat(1 + left / Buffer.byteLength(fill)));
}

function start(): void {}

function refused(callbacks: object, message: string): void {
  assert.throws(() => defineTransport(callbacks as never), {
    code: "SIM_ERR_DEFINITION_INVALID",
    message,
  });
}

describe("a custom transport", () => {
  it("connects clients to sockets by path, with what it knows about them", async () => {
    const { host } = await serving();
    requests.length = 0;
    const connectInfo = { peerData: { address: "a modem" }, line: 7 };
    const params = { vsn: "2.0.0", user: "ann", org: "params" };
    const decision = await host.connect({ path: "/org/a%20b/x/socket", params, connectInfo });
    assert.ok(decision.result === "ok");
    assert.equal(decision.id, "ann");
    const [request = assert.fail("connect was not called")] = requests;
    assert.deepEqual(request.params, { vsn: "2.0.0", user: "ann", org: "a b" });
    assert.deepEqual([request.connectInfo, request.transport], [connectInfo, "test line"]);
    assert.equal(request.context, host.context);
  });

  it("gets 1009 for frames that are too long, earlier for a client that has not joined", async () => {
    const world = await serving({}, { maxFrameBytes: 1_024, maxUnjoinedFrameBytes: 256 });
    const client = new RecordingClient();
    const connection = await joined(world, client);
    connection.receive(frameOf(1_024, "xx"));
    assert.equal(client.taken().length, 1);
    connection.receive(frameOf(1_026, "é"));
    assert.deepEqual(await client.closed(), ["1009"]);
    const unjoined = new RecordingClient();
    const early = await world.open(unjoined);
    early.receive(new Uint8Array(256));
    assert.equal(early.isOpen, true);
    early.receive(new Uint8Array(257));
    assert.deepEqual(await unjoined.closed(), ["1009"]);
  });

  it("is told whether a client was refused, and why, or that connect threw", async () => {
    const { host } = await serving();
    const asked = (params: Record<string, string>) =>
      host.connect({ path: "/socket", params: { vsn: "2.0.0", ...params } });
    const no = { result: "refused", reason: { reason: "no" } };
    assert.deepEqual(await asked({ refuse: "no" }), no);
    assert.deepEqual(await asked({ boom: "1" }), { result: "failed" });
    assert.deepEqual(await asked({ vsn: "9.0.0" }), { result: "refused", reason: undefined });
    assert.equal((await host.connect({ path: "/socket" })).result, "ok");
    await assert.rejects(host.connect({ path: "/other" }), {
      code: "SIM_ERR_OPTION_INVALID",
      message: "path must be one of /socket, /org/:org/:_hidden/socket, got /other",
    });
  });

  it("carries text and bytes in both directions", async () => {
    const world = await serving();
    const client = new RecordingClient();
    const connection = await joined(world, client);
    connection.receive('["1","2","room:1","echo",{"a":"é"}]');
    const reply = '["1","2","room:1","phx_reply",{"status":"ok","response":{"a":"é"}}]';
    assert.deepEqual(client.taken(), [reply]);
    const frame = Buffer.from(`0001010604${Buffer.from("12room:1echohi").toString("hex")}`, "hex");
    connection.receive(frame);
    frame.fill(0);
    const bytes = `0101010602${Buffer.from("12room:1okhi").toString("hex")}`;
    assert.deepEqual(client.taken(), [`hex ${bytes}`]);
    assert.equal(world.shard.counter("framesIn"), 3);
    assert.equal(world.shard.counter("framesOut"), 3);
  });

  it("gets broadcasts as text or bytes, except its own broadcastFrom", async () => {
    const world = await serving();
    const [one, two] = [new RecordingClient(), new RecordingClient()];
    const connection = await joined(world, one);
    await joined(world, two);
    connection.receive('["1","2","room:1","shout",{"n":1}]');
    connection.receive('["1","3","room:1","shout_from",{"n":2}]');
    const frames = [1, 2].map((n) => `[null,null,"room:1","shout",{"n":${n}}]`);
    assert.deepEqual([one.taken(), two.taken()], [[frames[0]], frames]);
    world.host.context.broadcast("room:1", "bytes", Buffer.from("hi"));
    const bytes = `020605${Buffer.from("room:1byteshi").toString("hex")}`;
    assert.deepEqual(one.taken(), [`hex ${bytes}`]);
  });

  it("may keep the bytes that it is given", async () => {
    const world = await serving();
    const kept: (string | Uint8Array)[] = [];
    const client = new RecordingClient();
    await joined(world, client);
    client.send = (frame) => void kept.push(frame);
    for (const text of ["one", "two"]) {
      world.host.context.broadcast("room:1", "said", Buffer.from(text));
    }
    const texts = kept.map((frame) => Buffer.from(frame).subarray(-3).toString());
    assert.deepEqual(texts, ["one", "two"]);
  });

  it("has connections that are counted, listed and numbered like all others", async () => {
    const { shard, open } = await serving();
    const [one, two] = [
      await open(new RecordingClient(), { user: "ann" }),
      await open(new RecordingClient()),
    ];
    assert.notEqual(one.number, two.number);
    assert.deepEqual(await shard.shard.answer({ about: "sockets", limit: 1 }), [
      { connection: one.number, id: "ann", shard: 0, transport: "test line", path: "/socket" },
    ]);
    assert.equal(shard.counter("connections"), 2);
    two.closed();
    assert.equal(shard.counter("connections"), 1);
  });

  it("may open a connection once, at any later time", async () => {
    const { host } = await serving();
    const decision = await host.connect({ path: "/socket", params: { vsn: "2.0.0" } });
    assert.ok(decision.result === "ok");
    await turn();
    const connection = decision.open(new RecordingClient());
    assert.equal(connection.isOpen, true);
    assert.throws(() => decision.open(new RecordingClient()), { code: "SIM_ERR_OPTION_INVALID" });
  });

  it("learns that the server ended a connection, and reports that the client did", async () => {
    const world = await serving();
    const client = new RecordingClient();
    const connection = await world.open(client, { user: "ann" });
    world.host.context.disconnect("ann");
    assert.deepEqual([client.closes, connection.isOpen], [["1001"], false]);
    connection.receive(JOIN);
    connection.closed();
    connection.drained();
    connection.control("ping");
    assert.deepEqual([client.frames, client.closes], [[], ["1001"]]);
    const other = new RecordingClient();
    const gone = await joined(world, other);
    gone.closed();
    gone.closed();
    assert.deepEqual([other.closes, gone.isOpen], [[], false]);
    assert.equal(world.shard.counter("channels"), 0);
  });

  it("closes a connection with 1011 if its client sends nonsense", async () => {
    const { open } = await serving();
    const client = new RecordingClient();
    (await open(client)).receive("nonsense");
    assert.deepEqual(client.closes, ["1011"]);
  });

  it("loses a client if its own code throws for it, and no other", async () => {
    const world = await serving();
    const broken = new RecordingClient();
    const other = new RecordingClient();
    await joined(world, broken);
    await joined(world, other);
    broken.send = () => {
      throw new Error("line cut");
    };
    world.host.context.broadcast("room:1", "said");
    world.host.context.broadcast("room:1", "said");
    assert.deepEqual(await broken.closed(), ["1006"]);
    assert.equal(other.taken().length, 2);
    assert.equal(world.shard.counter("connections"), 1);
    const { text, fields } = world.shard.log.at(-1) ?? assert.fail("nothing was logged");
    assert.equal(text, "a custom transport threw or did not settle");
    assert.deepEqual([fields["transport"], fields["err"]], ["test line", new Error("line cut")]);
  });

  it("loses a client whose unsent bytes cannot be read, and no other", async () => {
    const message = "bufferedBytes must be a number from 0 (bytes), got";
    const faults: [get: () => unknown, err: string][] = [
      [() => assert.fail("line cut"), "AssertionError [ERR_ASSERTION]: line cut"],
      [() => Number.NaN, `TypeError: ${message} NaN`],
      [() => 1n, `TypeError: ${message} bigint`],
      [() => "12", `TypeError: ${message} "12"`],
    ];
    for (const [get, err] of faults) {
      const world = await serving();
      const broken = new RecordingClient();
      const other = new RecordingClient();
      await joined(world, broken);
      await joined(world, other);
      Object.defineProperty(broken, "bufferedBytes", { get });
      world.host.context.broadcast("room:1", "said");
      world.host.context.broadcast("room:1", "said");
      assert.deepEqual(await broken.closed(), ["1006"]);
      assert.equal(other.taken().length, 2);
      const lines = world.shard.log.filter(({ text }) => text.startsWith("a custom transport"));
      assert.deepEqual(
        lines.map(({ fields }) => String(fields["err"])),
        [err],
      );
    }
  });

  it("has a slow client cut if it reports unsent bytes", async () => {
    const world = await serving({}, { maxBackpressureBytes: 16_384, slowClientMs: 1 });
    const slow = new RecordingClient();
    const quick = new RecordingClient();
    const connection = await joined(world, slow);
    await joined(world, quick);
    // Above eight times the limit, so it is cut at once.
    slow.bufferedBytes = 16_384 * 8 + 1;
    connection.receive('["1","2","room:1","shout",{}]');
    assert.deepEqual(await slow.closed(), ["1006"]);
    assert.equal(world.shard.counter("slowCut"), 1);
    assert.equal(quick.closes.length, 0);
  });

  it("holds for a client what it reports, which is at least what is unsent", async () => {
    const world = await serving();
    const client = Object.assign(new RecordingClient(), { heldBytes: 7 });
    const connection = (await world.open(client)) as CustomConnection;
    client.bufferedBytes = 3;
    assert.deepEqual([connection.bufferedBytes, connection.heldBytes], [3, 7]);
    client.bufferedBytes = 9;
    assert.equal(connection.heldBytes, 9);
    client.heldBytes = -1;
    assert.equal(connection.heldBytes, 9);
    assert.deepEqual(await client.closed(), ["1006"]);
  });

  it("is closed if its transport keeps more for it than the node may hold", async () => {
    const maxBufferBytes = 1_048_576;
    const world = await serving({}, { maxBufferBytes });
    const [small, large] = [1, maxBufferBytes].map((heldBytes) =>
      Object.assign(new RecordingClient(), { heldBytes }),
    );
    assert.ok(small && large);
    (await world.open(small)).kept(small.heldBytes);
    (await world.open(large)).kept(large.heldBytes);
    assert.deepEqual([await large.closed(), small.closes], [["1008"], []]);
  });

  it("has broadcasts wait for a client without room if the channel allows it", async () => {
    const world = await serving();
    const client = new RecordingClient();
    const connection = await joined(world, client, "latest:1");
    const { context } = world.host;
    client.bufferedBytes = 65_536;
    for (let n = 1; n <= 3; n += 1) context.broadcast("latest:1", "said", { n });
    connection.drained();
    assert.deepEqual(client.taken(), []);
    client.bufferedBytes = 65_535;
    connection.drained();
    assert.deepEqual(client.taken(), ['[null,null,"latest:1","said",{"n":3}]']);
  });

  it("answers HTTP requests, and gets the shard's context", async () => {
    const world = await serving();
    world.host.route("POST /line/:id", async (request, context) => {
      const body = Buffer.from(await request.body()).toString();
      return {
        status: 201,
        body: `${request.params["id"]} ${body} ${context === world.host.context}`,
      };
    });
    const asked = { method: "POST", body: "hi" };
    const answer = await fetch(`http://127.0.0.1:${world.shard.port}/line/7`, asked);
    assert.deepEqual([answer.status, await answer.text()], [201, "7 hi true"]);
    const twice = (): void => world.host.route("post /line/:id", () => ({ status: 200 }));
    const code = "SIM_ERR_DEFINITION_INVALID";
    assert.throws(twice, { code, message: "route must be defined once, got post /line/:id again" });
    assert.throws(() => world.host.route("/line", () => ({ status: 200 })), { code });
  });

  it("applies the mount's handshake to an HTTP request to connect", async () => {
    const connectInfo = ["userAgent", "uri"] as const;
    const channels = { "room:*": room };
    const { shard, host } = await serving(
      {},
      {},
      {
        urlHost: "example.com",
        sockets: { "/org/:org/socket": { socket, channels, connectInfo } },
      },
    );
    host.route("GET /line/:_at", async (request) => {
      const decision = await host.connect({
        path: "/org/acme/socket",
        params: { n: "1" },
        http: request,
      });
      return { status: 200, body: decision.result };
    });
    const asked = async (query: string, headers: Record<string, string>): Promise<string> => {
      const url = `http://127.0.0.1:${shard.port}/line/1?vsn=2.0.0&${query}`;
      return (await fetch(url, { headers })).text();
    };
    requests.length = 0;
    const own = { "user-agent": "test", origin: "https://example.com" };
    assert.equal(await asked("user=ann&a[b]=c&org=query", own), "ok");
    const [request = assert.fail("connect was not called")] = requests;
    const params = { vsn: "2.0.0", user: "ann", a: { b: "c" }, org: "acme", n: "1" };
    // A query is parsed into objects without a prototype.
    assert.deepEqual(structuredClone(request.params), params);
    assert.equal(request.connectInfo["userAgent"], "test");
    assert.deepEqual(request.connectInfo.uri?.path, "/line/1");
    assert.equal(await asked("", { origin: "https://example.org" }), "refused");
    assert.equal(await asked("a=%ff", {}), "refused");
    assert.equal(requests.length, 1);
  });

  it("is told whether the page of any request may use a socket", async () => {
    const { shard, host } = await serving({}, {}, { urlHost: "example.com" });
    host.route("POST /line", (http) => ({
      status: 200,
      body: String(host.allowsOrigin("/socket", http)),
    }));
    const asked = async (headers: Record<string, string>): Promise<string> => {
      const url = `http://127.0.0.1:${shard.port}/line`;
      return (await fetch(url, { method: "POST", headers })).text();
    };
    assert.equal(await asked({ origin: "https://example.com" }), "true");
    assert.equal(await asked({}), "true");
    assert.equal(await asked({ origin: "https://example.org" }), "false");
    assert.ok(shard.log.some(({ fields }) => fields["origin"] === "https://example.org"));
    const http = { method: "GET", path: "/" } as RouteRequest;
    assert.throws(() => host.allowsOrigin("/socket", http), { code: "SIM_ERR_OPTION_INVALID" });
    assert.throws(() => host.allowsOrigin("/other", http), { code: "SIM_ERR_OPTION_INVALID" });
  });

  it("cannot pass anything else as an HTTP request", async () => {
    const { host } = await serving();
    const http = { method: "GET", path: "/" } as RouteRequest;
    await assert.rejects(host.connect({ path: "/socket", http }), {
      code: "SIM_ERR_OPTION_INVALID",
      message: "http must be the request passed to a route, got object",
    });
  });

  it("publishes figures under its name", async () => {
    const { shard, host } = await serving();
    host.measure("lagMs", 7);
    host.measure("rows", 1);
    host.measure("lagMs", 0.5);
    host.measure("rows", undefined);
    assert.deepEqual(shard.figures(), ["test line lagMs 0.5", "test line rows undefined"]);
  });

  it("has few figures, with proper names and numbers", async () => {
    const { shard, host } = await serving();
    const measure = (name: unknown, value: unknown): void =>
      host.measure(name as string, value as number);
    const faults: [args: [name: unknown, value: unknown], message: string][] = [
      [["lagMs", Number.NaN], 'value of "lagMs" must be a finite number, got NaN'],
      [["lagMs", "7"], 'value of "lagMs" must be a finite number, got "7"'],
      ...["", "LagMs", "lag_ms", "lag ms", "1ag", "é", 7, "x".repeat(65)].map(
        (name): [[unknown, unknown], string] => [
          [name, 1],
          `name of a figure must be up to 64 ASCII letters and digits in camelCase, got ${JSON.stringify(name)}`,
        ],
      ),
    ];
    for (const [args, message] of faults) {
      assert.throws(() => measure(...args), { code: "SIM_ERR_OPTION_INVALID", message });
    }
    for (let n = 0; n < 16; n += 1) host.measure(`figure${n}`, n);
    assert.throws(() => host.measure("one", 1), {
      code: "SIM_ERR_OPTION_INVALID",
      message: "a transport may have 16 figures, got one as well",
    });
    host.measure("figure0", 1);
    assert.equal(shard.figures().length, 16);
  });

  it("is stopped when the shard drains, and its clients are told to reconnect", async () => {
    const stopped = new Deferred<void>();
    let stops = 0;
    const world = await serving({
      async stop() {
        stops += 1;
        await stopped.promise;
      },
    });
    const client = new RecordingClient();
    await joined(world, client);
    const decision = await world.host.connect({ path: "/socket", params: { vsn: "2.0.0" } });
    assert.ok(decision.result === "ok");
    const drained = world.shard.shard.drain(atOnce(5_000));
    assert.deepEqual([await client.closed(), stops], [["1012"], 1]);
    const told = await world.host.connect({ path: "/socket", params: { vsn: "2.0.0" } });
    assert.deepEqual(told, { result: "unavailable" });
    const late = new RecordingClient();
    decision.open(late);
    assert.deepEqual(late.closes, ["1012"]);
    assert.equal(await Promise.race([drained, turn()]), undefined);
    stopped.resolve();
    await within(drained, "the drain");
    assert.equal(stops, 1);
  });

  it("has a client with unsent bytes told to reconnect as soon as they are sent", async () => {
    const world = await serving();
    const client = new RecordingClient();
    const connection = await joined(world, client);
    client.bufferedBytes = 2;
    const drained = world.shard.shard.drain(atOnce(60_000));
    await turn();
    client.bufferedBytes = 1;
    connection.drained();
    assert.deepEqual(client.closes, []);
    client.bufferedBytes = 0;
    connection.drained();
    assert.deepEqual(client.closes, ["1012"]);
    await within(drained, "the drain");
  });

  it("writes to the log of its shard, with its name", async () => {
    const { host, shard } = await serving();
    host.log.warn({ err: new Error("no carrier"), tries: 2 }, "dialling again");
    const { text, fields } = shard.log.at(-1) ?? assert.fail("nothing was logged");
    assert.equal(text, "dialling again");
    assert.deepEqual([fields["transport"], fields["tries"]], ["test line", 2]);
    assert.deepEqual(fields["err"], new Error("no carrier"));
  });

  it("does not delay a drain by a stop that throws or never settles", async () => {
    for (const stop of [
      (): void => {
        throw new Error("boom");
      },
      async (): Promise<void> => new Promise(() => {}),
    ]) {
      const { shard } = await serving({ stop });
      await within(shard.shard.drain(atOnce(20)), "the drain");
      assert.equal(shard.log.at(-1)?.text, "a custom transport threw or did not settle");
    }
  });

  it("is stopped, and its clients are told, if the shard is closed at once", async () => {
    let stops = 0;
    const world = await serving({
      stop() {
        stops += 1;
      },
    });
    const client = new RecordingClient();
    await world.open(client);
    world.shard.shard.cut();
    assert.deepEqual([client.closes, stops], [["1012"], 1]);
    world.shard.close();
    assert.equal(stops, 1);
  });

  it("is stopped without a time limit if the shard is closed at once, but what its stop rejects with is logged", async () => {
    const stopping = new Deferred<void>();
    const { shard } = await serving({ stop: async () => stopping.promise });
    shard.shard.close();
    // A time limit of 0 would have ended before this timer, which is started later.
    await setTimeout(1);
    assert.deepEqual(shard.log, []);
    stopping.reject(new Error("the line is dead"));
    await turn();
    const [{ text, fields } = assert.fail("nothing was logged")] = shard.log;
    assert.equal(text, "a custom transport threw or did not settle");
    assert.deepEqual(fields["err"], new Error("the line is dead"));
  });

  it("fails the start of its shard if its own start throws", async () => {
    const failing = serving({ start: () => Promise.reject(new Error("no modem")) });
    await assert.rejects(failing, { message: "no modem" });
  });

  it("starts after the endpoint, and may be one of several", async () => {
    const order: string[] = [];
    const named = (name: string): ReturnType<typeof defineTransport> =>
      defineTransport({
        name,
        start: () => void order.push(`start ${name}`),
        stop: () => void order.push(`stop ${name}`),
      });
    const shard = await startShard({
      sockets: {},
      transports: [named("one"), named("two")],
      start: () => void order.push("endpoint"),
    });
    shard.close();
    assert.deepEqual(order, ["endpoint", "start one", "start two", "stop one", "stop two"]);
  });

  it("needs a name of its own, and functions", () => {
    const names = "name must be a non-empty string other than websocket and longpoll";
    refused({ start }, `${names}, got undefined`);
    refused({ start, name: "" }, `${names}, got ""`);
    refused({ start, name: "longpoll" }, `${names}, got "longpoll"`);
    refused({ name: "x" }, "start must be a function, got undefined");
    refused({ name: "x", start, stop: 7 }, "stop must be a function, got number");
  });
});
