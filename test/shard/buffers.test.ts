/**
 * What a shard holds for its clients, with a limit of 1 MiB for the node: whoever holds most is closed.
 *
 * Runs on: the test's thread, which is also the shard's.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type ClientRequest, type IncomingMessage } from "node:http";
import { connect, type Socket as TcpSocket } from "node:net";
import { afterEach, describe, it } from "node:test";

import { ok, reply } from "../../src/callbacks/results.ts";
import { defineChannel } from "../../src/channel/definition.ts";
import { defineSocket } from "../../src/socket/definition.ts";
import { Client, joined } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import { startShard, type TestShard } from "../support/shard.ts";

const KIB = 1_024;
const MAX_BUFFER_BYTES = 1_024 * KIB;
/** More than the buffers of the system. */
const MUCH = 24 * 1_024 * KIB;
const DEADLINE_MS = 20_000;

const socket = defineSocket({ connect: () => ok({}) });
const room = defineChannel(socket, {
  join: () => ok(),
  handleIn: {
    never: () => new Promise(() => {}),
    more: () => reply("ok"),
    /** Pushes so many bytes. */
    push: (channel, { bytes }: { bytes: number }) => {
      const pad = "x".repeat(64 * KIB);
      for (let sent = 0; sent < bytes; sent += pad.length) channel.push("pad", { pad });
    },
  },
});

let test: TestShard;

async function start(): Promise<void> {
  test = await startShard(
    {
      sockets: {
        "/socket": { socket, channels: { "room:*": room } },
      },
      routes: {
        "POST /body": async (asked) => ({
          status: 200,
          body: String((await asked.body()).length),
        }),
        "GET /stream": () => ({
          status: 200,
          stream: (out) => {
            for (let sent = 0; sent < MUCH; sent += 64 * KIB) out.write("x".repeat(64 * KIB));
          },
        }),
      },
    },
    {
      maxBufferBytes: MAX_BUFFER_BYTES,
      maxBackpressureBytes: 1_024 * MAX_BUFFER_BYTES,
      maxWaitingBytes: MAX_BUFFER_BYTES,
      maxBodyBytes: MAX_BUFFER_BYTES,
    },
  );
}

afterEach(() => test.close());

/** A client whose messages of so many bytes wait behind a handler. */
async function waiting(bytes: number): Promise<Client> {
  const client = await Client.connect(test.port);
  await joined(client, "room:1");
  client.push("room:1", "never");
  const pad = "x".repeat(20 * KIB);
  for (let sent = 0; sent < bytes; sent += pad.length) client.push("room:1", "more", { pad });
  return client;
}

/** Sends a part of a body, whose length is larger. */
function bodyOf(bytes: number): ClientRequest {
  const headers = { "content-length": MAX_BUFFER_BYTES };
  const sent = request({ port: test.port, path: "/body", method: "POST", headers });
  sent.on("error", () => {});
  sent.write("x".repeat(bytes));
  return sent;
}

async function answerOf(sent: ClientRequest): Promise<IncomingMessage> {
  const answered = once(sent, "response") as Promise<[IncomingMessage]>;
  const [response] = await within(answered, "an answer", DEADLINE_MS);
  return response;
}

/** Requests something, and reads nothing. */
async function deafTo(path: string): Promise<TcpSocket> {
  const tcp = connect(test.port, "127.0.0.1");
  tcp.on("error", () => {});
  await once(tcp, "connect");
  tcp.pause();
  tcp.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return tcp;
}

function shedLines(): unknown[] {
  return test.log.filter(({ text }) => text.includes("maxBufferBytes")).map(({ fields }) => fields);
}

describe("a node that holds more than maxBufferBytes", () => {
  it("closes the connection with most waiting messages, with 1008", async () => {
    await start();
    const [large, small, other] = [
      await waiting(700 * KIB),
      await waiting(200 * KIB),
      await waiting(300 * KIB),
    ];
    assert.equal((await large.closed(DEADLINE_MS)).code, 1008);
    assert.equal(test.counter("buffersShed"), 1);
    await small.nothingMore();
    await other.nothingMore();
    const [line] = shedLines() as [{ owners: number; bytes: number; totalBytes: number }];
    assert.deepEqual(
      [line.owners, line.bytes > 690 * KIB, line.totalBytes > MAX_BUFFER_BYTES],
      [1, true, true],
    );
    await Promise.all([small.close(), other.close()]);
  });

  it("drops what waits for connections that have ended", async () => {
    await start();
    const gone = await waiting(700 * KIB);
    await gone.nothingMore();
    await gone.close();
    const small = await waiting(400 * KIB);
    await within(
      until(() => test.counter("buffersShed") === 1),
      "the drop",
      DEADLINE_MS,
    );
    await small.nothingMore();
    await small.close();
  });

  it("cuts the client that has read least", async () => {
    await start();
    const [deaf, other] = [await waiting(0), await waiting(0)];
    await joined(deaf, "room:2");
    deaf.pause();
    deaf.push("room:2", "push", { bytes: MUCH });
    await within(
      until(() => test.counter("buffersShed") === 1),
      "the cut",
      DEADLINE_MS,
    );
    deaf.resume();
    assert.equal((await deaf.closed(DEADLINE_MS)).code, 1006);
    await other.nothingMore();
    await other.close();
  });

  it("answers the request with the largest incomplete body with 503", async () => {
    await start();
    const [large, small] = [bodyOf(700 * KIB), bodyOf(400 * KIB)];
    assert.equal((await answerOf(large)).statusCode, 503);
    small.end("x".repeat(MAX_BUFFER_BYTES - 400 * KIB));
    assert.equal((await answerOf(small)).statusCode, 200);
    assert.equal(test.counter("buffersShed"), 1);
  });

  it("cuts the streamed response whose client has read least", async () => {
    await start();
    const tcp = await deafTo("/stream");
    await within(
      until(() => test.counter("buffersShed") === 1),
      "the cut",
      DEADLINE_MS,
    );
    tcp.destroy();
  });

  it("closes nobody while it holds less", async () => {
    await start();
    const clients = [await waiting(400 * KIB), await waiting(400 * KIB)];
    await within(
      until(() => test.counter("bufferedBytes") > 800 * KIB),
      "a sample",
      DEADLINE_MS,
    );
    await within(samples(3), "three more samples", DEADLINE_MS);
    assert.equal(test.counter("buffersShed"), 0);
    for (const client of clients) await client.nothingMore();
    for (const client of clients) await client.close();
  });
});

/** Resolves once a condition holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}

/** Resolves after so many sample intervals. */
async function samples(count: number): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, count * 250);
  });
}
