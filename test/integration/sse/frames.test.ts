/**
 * Server-sent events that carry frames, on the wire.
 *
 * Runs on: the main thread of the tests; the server's shards are threads of the same process.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { noSecondShard } from "../../support/dealing.ts";
import { untilSo } from "../../support/deadline.ts";
import { startServer, type Server } from "../../support/server.ts";
import { SseClient, SseReader } from "../../support/sse-client.ts";

/** Reports whether a socket with this id is open. */
async function isThere(server: Server, id: string): Promise<boolean> {
  return (await server.sockets()).some((socket) => socket.id === id);
}

/** Reports whether the only session and its stream are on different shards; undefined if there are others. */
async function isSplit(server: Server): Promise<boolean | undefined> {
  // Asked first, so that the figures can change.
  const count = (await server.sockets()).length;
  const { sessions, streams } = server.stats().transports["sse"] ?? {};
  if (count !== 1 || sessions?.total !== 1 || streams?.total !== 1) return undefined;
  return sessions.shards.some((value, shard) => value !== streams.shards[shard]);
}

describe("Server-sent events with frames", () => {
  let server: Server;
  before(async () => {
    server = await startServer("streams", { shards: 2 });
  });
  after(() => server.close());

  it("begin with padding, the time to retry and the token of the session", async () => {
    const stream = await SseReader.open(server.port, "/socket/sse?vsn=2.0.0");
    const { headers } = stream.response;
    assert.equal(headers["content-type"], "text/event-stream; charset=utf-8");
    assert.equal(headers["cache-control"], "no-cache, no-transform");
    assert.equal(headers["x-accel-buffering"], "no");
    const open = await stream.next();
    assert.ok(open);
    assert.deepEqual([open.id, open.event], ["", "open"]);
    const { session, ...times } = JSON.parse(open.data) as Record<string, unknown>;
    assert.deepEqual(times, { resumeMs: 15_000, heartbeatMs: 15_000 });
    assert.ok(stream.text.startsWith(`:${" ".repeat(2_048)}\nretry: 1000\n\n`));
    assert.equal(typeof session, "string");
    stream.cut();
  });

  it("carry frames in both directions, whichever shard a POST reaches", async () => {
    const client = await SseClient.connect(server.port);
    await client.join("room:1");
    for (let n = 0; n < 8; n += 1) {
      const ref = await client.push("room:1", "echo", { n });
      const reply = { status: "ok", response: { n } };
      assert.deepEqual(await client.message(), ["room:1", ref, "room:1", "phx_reply", reply]);
    }
    assert.equal(client.lastId, "9");
    assert.equal(await client.leave(), 204);
    assert.deepEqual(await client.stream.end(), []);
  });

  it("go on after a cut, on any shard, with the frames that were missing", async () => {
    const client = await SseClient.connect(server.port);
    await client.join("room:cut");
    const heard: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      await client.push("room:cut", "many", { count: 5 });
      for (let count = 0; count < 2; count += 1) {
        const [, , , , payload] = await client.message();
        heard.push((payload as { n: number }).n);
      }
      client.cut();
      await client.push("room:cut", "many", { count: 2 });
      await client.resume();
      for (let count = 0; count < 5; count += 1) {
        const [, , , , payload] = await client.message();
        heard.push((payload as { n: number }).n);
      }
    }
    assert.deepEqual(heard, Array.from({ length: 6 }, () => [1, 2, 3, 4, 5, 1, 2]).flat());
    client.cut();
  });

  it("carry any frames of raw sockets, and their close code", async () => {
    const client = await SseClient.connect(server.port, "", "/raw");
    const texts = ["plain", "=not bytes", '"quoted"', "two\nlines\r\nand\rmore", ""];
    const lines = texts.map((text) => (text === "plain" ? text : JSON.stringify(text)));
    assert.equal((await client.post([...lines, "=AAr/"].join("\n"))).status, 204);
    for (const line of lines) assert.equal(await client.next(), line);
    assert.equal(await client.next(), "=AAr/");
    assert.equal((await client.post("bye")).status, 204);
    const [close] = await client.stream.end();
    assert.deepEqual(close, { id: "", event: "close", data: '{"code":4001,"reason":""}' });
    await client.resume();
    assert.equal((await client.stream.end())[0]?.data, '{"code":3410,"reason":"session_gone"}');
  });

  it("take one frame of bytes as a body, as large as a WebSocket takes it, on any shard", async () => {
    const client = await SseClient.connect(server.port, "", "/raw");
    const headers = { "content-type": "application/octet-stream" };
    const bytes = Buffer.alloc(262_144, "\xff\n=", "latin1");
    for (const body of [bytes, bytes, Buffer.alloc(0)]) {
      assert.equal((await client.post(body, headers)).status, 204);
      assert.equal(await client.next(), `=${body.toString("base64")}`);
    }
    const { status } = await client.post(Buffer.alloc(262_145), headers);
    assert.equal(status, 413);
    client.cut();
  });

  it("end the stream before if a session gets another one", async () => {
    const client = await SseClient.connect(server.port);
    await client.join("room:replaced");
    const streams = [client.stream];
    // On this shard, and on the other one.
    for (let count = 0; count < 4; count += 1) streams.push(await client.resume());
    streams.pop();
    for (const stream of streams) {
      assert.deepEqual(await stream.end(), [{ id: "", event: "replaced", data: "{}" }]);
    }
    await client.push("room:replaced", "echo", { n: 1 });
    assert.equal((await client.message())[3], "phx_reply");
    client.cut();
  });

  it("send comments while there is nothing else, wherever the stream is", async () => {
    const client = await SseClient.connect(server.port, "vsn=2.0.0", "/brief");
    await client.stream.beats(3);
    for (let count = 0; count < 2; count += 1) {
      client.cut();
      await client.resume();
      await client.stream.beats(3);
    }
    client.cut();
  });

  it("tell a client that its session is gone: it was away for too long, or too much was sent", async () => {
    const away = await SseClient.connect(server.port, "vsn=2.0.0&user=away", "/brief");
    away.cut();
    await untilSo(async () => !(await isThere(server, "users:away")), "the end of the session");
    await away.resume();
    assert.equal((await away.stream.end())[0]?.data, '{"code":3410,"reason":"session_gone"}');

    const late = await SseClient.connect(server.port, "vsn=2.0.0&user=late", "/brief");
    await late.join("room:late");
    await late.push("room:late", "many", { count: 20, size: 1_000 });
    for (let count = 0; count < 20; count += 1) await late.next();
    late.cut();
    await late.resume("1");
    assert.equal((await late.stream.end())[0]?.data, '{"code":3410,"reason":"session_gone"}');
    // What is kept is enough for a client that is only a little behind.
    await late.resume("19");
    assert.equal((await late.message())[3], "one");
    late.cut();
  });

  it("end with the code of the connection, on any shard", async () => {
    for (let count = 0; count < 2; count += 1) {
      const client = await SseClient.connect(server.port, `vsn=2.0.0&user=banned${count}`);
      await client.join("room:banned");
      client.cut();
      const stream = await client.resume();
      server.disconnect(`users:banned${count}`);
      const [close] = await stream.end();
      assert.deepEqual(close, { id: "", event: "close", data: '{"code":1001,"reason":""}' });
    }
  });
});

describe("Server-sent events of a client that reads slowly", { skip: noSecondShard }, () => {
  let server: Server;
  before(async () => {
    server = await startServer("streams", { shards: 2, slowClientMs: 60_000 });
  });
  after(() => server.close());

  it("wait for it longer than for one that is away, wherever the stream is", async () => {
    for (const isElsewhere of [false, true]) {
      const client = await SseClient.connect(server.port, "vsn=2.0.0", "/steady");
      await client.join("room:slow");
      while ((await isSplit(server)) !== isElsewhere) {
        client.cut();
        await client.resume();
        // The figures are newer then.
        await client.stream.beats(2);
      }
      client.stream.pause();
      await client.push("room:slow", "many", { count: 1, size: 8_000_000 });
      // Two that go away one after the other are gone before it reads on.
      for (const user of ["one", "two"]) {
        const other = await SseClient.connect(server.port, `vsn=2.0.0&user=${user}`, "/steady");
        other.cut();
        await untilSo(
          async () => !(await isThere(server, `users:${user}`)),
          "the end of a session",
        );
      }
      client.stream.resume();
      const [, , , , payload] = await client.message();
      assert.equal((payload as { text: string }).text.length, 8_000_000);
      const ref = await client.push("room:slow", "echo", {});
      assert.equal((await client.message())[1], ref);
      client.cut();
    }
  });
});
