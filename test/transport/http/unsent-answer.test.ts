/**
 * Whole answers, over real connections whose clients read when the test says so.
 *
 * Runs on: the test's thread, which is also the shard's.
 * Slow: sends megabytes, through clients that read slowly.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, describe, it } from "node:test";

import { ok, reply } from "../../../src/callbacks/results.ts";
import { defineChannel } from "../../../src/channel/definition.ts";
import type { Options } from "../../../src/options/options.ts";
import { defineSocket } from "../../../src/socket/definition.ts";
import type { RouteResult } from "../../../src/transport/http/routes.ts";
import { noTurns } from "../../support/dealing.ts";
import { within } from "../../support/deadline.ts";
import { ask, NDJSON } from "../../support/longpoll-client.ts";
import { requestOf } from "../../support/raw-http.ts";
import { startShard, type TestShard } from "../../support/shard.ts";

const MIB = 1_048_576;
/** More than the system buffers for a connection that nobody reads from. */
const MUCH = 12 * MIB;
const DEADLINE_MS = 20_000;

/** With the portable engine, a request waits until its client has read the answer to the one before. */
const WAITS = noTurns !== false && "requests wait";

const socket = defineSocket({ connect: () => ok({}) });
const room = defineChannel(socket, {
  join: () => ok(),
  handleIn: {
    /** Replies with many bytes. */
    much: () => reply("ok", { pad: "x".repeat(MUCH) }),
  },
});

let shard: TestShard;
const clients: Socket[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  shard.close();
});

async function serve(body: unknown, given: Options = {}): Promise<void> {
  const answer = (): RouteResult => ({ status: 200, body });
  shard = await startShard(
    {
      sockets: { "/socket": { socket, channels: { "room:*": room }, longpoll: true } },
      routes: {
        "GET /at-once": answer,
        "GET /later": async () => answer(),
        "POST /unread": answer,
        "GET /small": () => ({ status: 200, body: "small" }),
      },
    },
    { maxBufferBytes: 64 * MIB, maxBackpressureBytes: 64 * MIB, ...given },
  );
}

/** Sends text, and reads nothing. */
async function deaf(text: string): Promise<Socket> {
  const client = connect(shard.port, "127.0.0.1");
  clients.push(client);
  client.on("error", () => {});
  await once(client, "connect");
  client.pause();
  client.write(text);
  return client;
}

/** Resolves once a condition holds. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  while (!condition()) {
    assert.ok(performance.now() < endMs, `timed out waiting for ${what}`);
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}

/** Resolves once the shard holds so many bytes. */
async function holds(bytes: number): Promise<void> {
  await until(() => shard.counter("bufferedBytes") === bytes, `${bytes} bytes that are held`);
}

/** Returns the answer to GET, not read yet. */
async function answerTo(path: string, method = "GET"): Promise<IncomingMessage> {
  const asked = request({ host: "127.0.0.1", port: shard.port, path, method, agent: false });
  asked.end();
  const [response] = (await within(once(asked, "response"), "an answer", DEADLINE_MS)) as [
    IncomingMessage,
  ];
  return response;
}

/** Reads an answer to its end, with a pause after each mebibyte. */
async function readSlowly(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let sincePause = 0;
  for await (const piece of response) {
    pieces.push(piece as Buffer);
    sincePause += (piece as Buffer).length;
    if (sincePause < MIB) continue;
    sincePause = 0;
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 20);
    });
  }
  return Buffer.concat(pieces);
}

/** Bytes of which no two neighbouring stretches are equal. */
function numbered(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 4) bytes.writeUInt32LE(at, at);
  return bytes;
}

/** Opens a session, joins, and returns the request of a poll whose answer is large. */
async function largePoll(): Promise<string> {
  const path = "/socket/longpoll?vsn=2.0.0";
  const { token } = await ask(shard.port, "GET", path).answer;
  const session = `${path}&token=${encodeURIComponent(String(token))}`;
  const frames = ['["1","1","room:1","phx_join",{}]', '["1","2","room:1","much",{}]'];
  for (const frame of frames) await ask(shard.port, "POST", session, frame, NDJSON).answer;
  return session;
}

describe("an answer that its client does not read", () => {
  for (const path of ["/at-once", "/later"]) {
    it(`counts until the client goes away (${path})`, async () => {
      await serve(numbered(MUCH));
      const client = await deaf(requestOf(`GET ${path}`));
      await holds(MUCH);
      assert.equal(shard.counter("idleConnections"), 0);
      client.destroy();
      await until(() => shard.counter("tcpConnections") === 0, "the end of the connection");
      assert.equal(shard.counter("idleConnections"), 0);
      await holds(0);
    });
  }

  it("counts if it is a batch of long-poll", async () => {
    await serve("");
    const client = await deaf(requestOf(`GET ${await largePoll()}`));
    await until(() => shard.counter("bufferedBytes") > MUCH, "bytes that are held");
    client.destroy();
    await holds(0);
    assert.equal(shard.counter("idleConnections"), shard.counter("tcpConnections"));
  });

  it("is cut above maxBufferBytes, and others are not affected", async () => {
    await serve("x".repeat(MUCH), { maxBufferBytes: 2 * MUCH });
    await deaf(requestOf("GET /at-once"));
    await deaf(requestOf("GET /later"));
    await holds(2 * MUCH);
    assert.equal(shard.counter("buffersShed"), 0);
    await deaf(requestOf("GET /later"));
    await until(() => shard.counter("buffersShed") > 0, "a cut");
    await until(() => shard.counter("bufferedBytes") <= 2 * MUCH, "what is left");
    assert.ok(shard.counter("tcpConnections") > 0);
    assert.equal((await readSlowly(await answerTo("/small"))).toString(), "small");
  });

  it("ends its connection if the client sends more requests", { skip: WAITS }, async () => {
    const body = "x".repeat(32_768);
    await serve(body);
    const client = await deaf("");
    // One at a time, since the engine also closes a connection for a second request in a turn.
    for (let sent = 0; sent < MUCH && shard.counter("tcpConnections") > 0; sent += body.length) {
      client.write(requestOf("GET /at-once"));
      await new Promise<void>((resolve) => {
        setTimeout(resolve, 1);
      });
    }
    await until(() => shard.counter("tcpConnections") === 0, "the end of the connection");
    await holds(0);
  });
});

describe("an answer that its client reads slowly", () => {
  it("arrives byte for byte, with its length", async () => {
    const body = numbered(MUCH);
    await serve(body);
    for (const path of ["/at-once", "/later"]) {
      const response = await answerTo(path);
      assert.equal(response.headers["content-length"], String(MUCH));
      await holds(MUCH);
      assert.ok((await within(readSlowly(response), "all of it", DEADLINE_MS)).equals(body));
      await holds(0);
    }
    assert.equal(shard.counter("buffersShed"), 0);
  });

  it("arrives as text of any characters", async () => {
    const text = "aäあ🙂".repeat(MUCH / 8);
    await serve(text);
    const response = await answerTo("/later");
    assert.ok((await within(readSlowly(response), "all of it", DEADLINE_MS)).toString() === text);
  });

  it("arrives if it is a batch of long-poll", async () => {
    await serve("");
    const response = await answerTo(await largePoll());
    const batch = await within(readSlowly(response), "all of it", DEADLINE_MS);
    const { messages } = JSON.parse(batch.toString()) as { messages: string[] };
    assert.ok(messages.some((message) => message.length > MUCH));
  });

  it("leaves the connection open for the next request", async () => {
    await serve("x".repeat(MUCH));
    const client = await deaf(requestOf("GET /later"));
    await holds(MUCH);
    let bytes = 0;
    let tail = "";
    client.on("data", (piece: Buffer) => {
      bytes += piece.length;
      tail = (tail + piece.toString("latin1")).slice(-500);
    });
    client.resume();
    await until(() => bytes > MUCH && shard.counter("idleConnections") === 1, "all of it");
    client.write(requestOf("GET /small"));
    await until(() => tail.endsWith("\r\n\r\nsmall"), "the next answer");
  });

  it("asks its client to close if the request has a longer body than any may have", async () => {
    await serve("x".repeat(MUCH), { maxBodyBytes: 1_024 });
    const client = await deaf(requestOf("POST /unread", ["Content-Length: 1000000"], "x"));
    const arrived = once(client, "data") as Promise<[Buffer]>;
    client.resume();
    const [head] = await within(arrived, "the head", DEADLINE_MS);
    assert.match(head.toString("latin1"), /^HTTP\/1\.1 200 OK\r\n(.+\r\n)*connection: close\r\n/);
  });

  it("is cut if its bytes have been transferred", async () => {
    const body = new Uint8Array(MUCH);
    await serve(body);
    const response = await answerTo("/later");
    await holds(MUCH);
    structuredClone(body, { transfer: [body.buffer] });
    await assert.rejects(within(readSlowly(response), "the cut", DEADLINE_MS), {
      code: "ECONNRESET",
    });
  });

  it("is not sent to HEAD", async () => {
    await serve("x".repeat(MUCH));
    const response = await answerTo("/later", "HEAD");
    assert.equal(response.headers["content-length"], String(MUCH));
    assert.equal((await readSlowly(response)).length, 0);
  });
});
