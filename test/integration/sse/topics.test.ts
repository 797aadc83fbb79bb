/**
 * Server-sent events with topics in the query, as a plain `EventSource` asks for them, on the wire.
 *
 * Runs on: the main thread of the tests; the server's shards and its keeper are threads of the same process.
 * Slow: shards are restarted, and channels join again after a second.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { restartShards, startServer, type Server } from "../../support/server.ts";
import { askHttp, SseReader, type SseEvent } from "../../support/sse-client.ts";

interface Data {
  readonly topic: string;
  readonly event: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly recovered?: boolean;
  readonly bytes?: string;
}

function dataOf(event: SseEvent | undefined): Data {
  assert.ok(event, "the stream has ended");
  return JSON.parse(event.data) as Data;
}

/** A plain EventSource, whose connection a test cuts. */
class Source {
  readonly #port: number;
  readonly #path: string;
  stream: SseReader | undefined = undefined;
  lastId = "";

  constructor(port: number, query: string, mount = "/socket") {
    this.#port = port;
    this.#path = `${mount}/sse?${query}`;
  }

  async open(): Promise<this> {
    const headers = this.lastId === "" ? {} : { "last-event-id": this.lastId };
    this.stream = await SseReader.open(this.#port, this.#path, headers);
    return this;
  }

  async next(): Promise<Data> {
    for (;;) {
      const event = await this.stream?.next();
      if (event?.event === "") this.lastId = event.id;
      if (event?.data !== "") return dataOf(event);
    }
  }

  /** Returns the next events, by topic. */
  async byTopic(count: number): Promise<ReadonlyMap<string, Data>> {
    const found = new Map<string, Data>();
    while (found.size < count) {
      const data = await this.next();
      found.set(data.topic, data);
    }
    return found;
  }

  cut(): void {
    this.stream?.cut();
  }
}

describe("Server-sent events with topics", () => {
  let server: Server;
  let topics = 0;
  before(async () => {
    server = await startServer("streams", { shards: 2 });
  });
  after(() => server.close());

  function topic(): string {
    topics += 1;
    return `long:${topics}`;
  }

  /** Asks for a stream that is refused, and returns why. */
  async function refused(
    query: string,
    headers: Record<string, string> = {},
    mountPath = "/socket",
  ): Promise<string> {
    const path = `${mountPath}/sse?${query}`;
    const { status, body } = await askHttp(server.port, "GET", path, headers);
    assert.equal(status, 400);
    return body;
  }

  it("join each topic, tell which joins were refused, and carry events", async () => {
    const query = 'topic=room:1&topic=room:refused&topic=nowhere:1&payload={"a":1}';
    const source = await new Source(server.port, query).open();
    const joined = await source.byTopic(3);
    const one = joined.get("room:1");
    assert.equal(one?.event, "phx_reply");
    assert.equal(one.recovered, true);
    assert.equal(one.payload["status"], "ok");
    const response = one.payload["response"] as { readonly payload: unknown };
    assert.deepEqual(response.payload, { a: 1 });
    const reason = (name: string): unknown => Object(joined.get(name)?.payload["response"]).reason;
    assert.equal(reason("room:refused"), "not today");
    assert.equal(reason("nowhere:1"), "unmatched topic");
    assert.equal(joined.get("room:refused")?.recovered, undefined);

    server.broadcast("room:1", "said", { text: 'ä"\n' });
    assert.deepEqual(await source.next(), {
      topic: "room:1",
      event: "said",
      payload: { text: 'ä"\n' },
    });
    server.broadcast("room:1", "shown", Uint8Array.of(1, 2, 255));
    assert.deepEqual(await source.next(), { topic: "room:1", event: "shown", bytes: "AQL/" });
    source.cut();
  });

  it("go on with the same session after a cut, on any shard", async () => {
    const source = await new Source(server.port, "topic=room:same").open();
    await source.next();
    for (let n = 0; n < 6; n += 1) {
      server.broadcast("room:same", "said", { n });
      assert.deepEqual((await source.next()).payload, { n });
      source.cut();
      server.broadcast("room:same", "missed", { n });
      await source.open();
      const missed = await source.next();
      assert.deepEqual([missed.event, missed.payload], ["missed", { n }]);
    }
    source.cut();
  });

  it("go on from the positions of their topics after the shards were restarted", async () => {
    const [one, two] = [topic(), topic()];
    const query = `topic=${one}&topic=room:restarted&topic=${two}`;
    const source = await new Source(server.port, query).open();
    for (const { recovered } of (await source.byTopic(3)).values()) assert.equal(recovered, true);
    await server.publish(one, "said", { n: 1 });
    await server.publish(two, "said", { n: 1 });
    for (let count = 0; count < 2; count += 1) {
      assert.equal((await source.next()).event, "said");
    }
    await restartShards(server);
    assert.equal((await source.stream?.end())?.at(-1)?.event, "close");
    await server.publish(one, "said", { n: 2 });
    await server.publish(one, "said", { n: 3 });
    await server.publish(two, "said", { n: 2 });
    await source.open();
    const heard: Record<string, unknown[]> = { [one]: [], [two]: [], "room:restarted": [] };
    for (let count = 0; count < 6; count += 1) {
      const data = await source.next();
      heard[data.topic]?.push(data.event === "said" ? data.payload["n"] : data.recovered);
    }
    assert.deepEqual(heard, { [one]: [true, 2, 3], [two]: [true, 2], "room:restarted": [false] });
    source.cut();
  });

  it("tell the position of a message that cannot carry it", async () => {
    const name = topic();
    const source = await new Source(server.port, `topic=${name}`).open();
    await source.next();
    server.broadcast(name, "shown", Uint8Array.of(7));
    assert.equal((await source.next()).bytes, "Bw==");
    const mark = await source.stream?.next();
    assert.equal(mark?.data, "");
    assert.match(mark.id, /\/1000000000001$/);
    source.cut();
  });

  it("join a topic again whose channel has failed, and go on after the message on which it has", async () => {
    const source = await new Source(server.port, "topic=fragile:1&topic=room:beside").open();
    await source.byTopic(2);
    for (const n of [1, 0, 2]) await server.publish("fragile:1", "said", { n });
    const heard: unknown[] = [];
    while (heard.at(-1) !== 2) {
      const { event, payload, recovered } = await source.next();
      heard.push(event === "said" ? payload["n"] : [event, recovered]);
      if (event === "phx_error") server.broadcast("room:beside", "said", { n: "beside" });
    }
    // It says that one is missing.
    const expected = [1, ["phx_error", undefined], "beside", ["phx_reply", false], 2];
    assert.deepEqual(heard, expected);
    source.cut();
  });

  it("tell that something may be missing of a topic without a history, and that one was stopped", async () => {
    const source = await new Source(server.port, "topic=room:ended").open();
    await source.next();
    server.broadcast("room:ended", "end", { how: "throw" });
    assert.equal((await source.next()).event, "phx_error");
    const { event, recovered } = await source.next();
    assert.deepEqual([event, recovered], ["phx_reply", false]);
    server.broadcast("room:ended", "end", { how: "stop" });
    assert.equal((await source.next()).event, "phx_close");
    source.cut();
  });

  it("try again to join a topic whose shard was overloaded, or whose join threw", async () => {
    for (const [name, reason] of [
      ["fragile:busy", "overloaded"],
      ["fragile:away", "join crashed"],
    ] as const) {
      const source = await new Source(server.port, `topic=${name}`).open();
      const refusal = { status: "error", response: { reason } };
      assert.deepEqual((await source.next()).payload, refusal);
      assert.equal((await source.next()).payload["status"], "ok");
      source.cut();
    }
  });

  it("begin with a backlog if the payload of the joins asks for it", async () => {
    const name = topic();
    for (let n = 1; n <= 5; n += 1) await server.publish(name, "said", { n });
    const payload = encodeURIComponent('{"a":1,"history":{"last":2}}');
    const source = await new Source(server.port, `topic=${name}&payload=${payload}`).open();
    const joined = await source.next();
    const response = joined.payload["response"] as { readonly others: unknown };
    assert.deepEqual(response.others, { a: 1 });
    assert.deepEqual(
      [await source.next(), await source.next()].map((one) => one.payload),
      [{ n: 4 }, { n: 5 }],
    );
    source.cut();
  });

  it("are not those of a client that asks for others with an old id", async () => {
    const [one, two] = [topic(), topic()];
    const source = await new Source(server.port, `topic=${one}`).open();
    await source.next();
    await server.publish(one, "said", { n: 1 });
    await source.next();
    const other = new Source(server.port, `topic=${two}`);
    other.lastId = source.lastId;
    await other.open();
    const joined = await other.next();
    assert.equal(joined.topic, two);
    // It has no position in this topic.
    assert.equal(joined.recovered, true);
    assert.equal((joined.payload["response"] as { history: { count: number } }).history.count, 0);
    source.cut();
    other.cut();
  });

  it("are refused with a text that says what is allowed", async () => {
    const many = Array.from({ length: 33 }, (_, at) => `topic=room:${at}`).join("&");
    assert.equal(await refused(many), "topic must be given at most 32 times, got 33");
    assert.equal(
      await refused("topic=a&topic=a"),
      "topic must name each topic once, got one twice",
    );
    const encoding = "percent escapes of the query must be UTF-8, got other bytes";
    for (const query of ["topic=%FF", "vsn=%c3"]) assert.equal(await refused(query), encoding);
    assert.equal(await refused("topic=a&payload=[]"), "payload must be a JSON object");
    const [most, more] = [4_088, 4_089].map((size) => `{"a":"${"x".repeat(size)}"}`);
    assert.equal(
      await refused(`topic=a&payload=${more}`),
      "payload must have at most 4096 bytes, got 4097",
    );
    const source = await new Source(server.port, `topic=room:payload&payload=${most}`).open();
    const { status, response } = (await source.next()).payload;
    assert.deepEqual(
      [status, JSON.stringify(Object(response)["payload"]["a"]).length],
      ["ok", 4_090],
    );
    source.cut();
    for (const other of ["/own", "/old"]) {
      const rule = "topic must be used with a socket whose serializer for version 2.0.0 is jsonV2";
      assert.equal(await refused("topic=a", {}, other), `${rule}, got another serializer`);
    }
    const long = { "last-event-id": "x".repeat(4_097) };
    assert.equal(
      await refused("topic=a", long),
      "Last-Event-ID must have at most 4096 characters, got 4097",
    );
  });
});
