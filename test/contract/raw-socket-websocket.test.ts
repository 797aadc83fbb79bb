/**
 * Raw sockets over WebSocket: the contract, and what is specific to WebSocket.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { after, describe, it } from "node:test";

import { WebSocket } from "ws";

import { error, ok, reply, stop } from "../../src/callbacks/results.ts";
import type { ExitReason } from "../../src/callbacks/results.ts";
import type { Options } from "../../src/options/options.ts";
import type { RawMountDefinition } from "../../src/endpoint/endpoint.ts";
import { defineRawSocket } from "../../src/socket/raw-definition.ts";
import type { RawSocketCallbacks } from "../../src/socket/raw-definition.ts";
import { within } from "../support/deadline.ts";
import { RawWebSocketClient } from "../support/raw-client.ts";
import { startShard } from "../support/shard.ts";
import type { TestShard } from "../support/shard.ts";
import { Deferred } from "../support/world.ts";
import { describeRawSocket } from "./raw-socket.contract.ts";

const HANDSHAKE = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** Requests a WebSocket, and returns status, body and headers of the response. */
async function asked(
  port: number,
  query = "",
  headers: Record<string, string> = {},
): Promise<{ readonly status: string; readonly headers: IncomingMessage["headers"] }> {
  const path = `/raw/websocket?${query}`;
  const made = request({ host: "127.0.0.1", port, path, headers: { ...HANDSHAKE, ...headers } });
  const upgraded = once(made, "upgrade").then(([response, socket]) => {
    (socket as { destroy: () => void }).destroy();
    return { status: "101", headers: (response as IncomingMessage).headers };
  });
  const answered = once(made, "response").then(async ([response]) => {
    const chunks = await (response as IncomingMessage).toArray();
    const body = Buffer.concat(chunks as Buffer[]).toString();
    const { statusCode, headers: got } = response as IncomingMessage;
    return { status: `${statusCode} ${body}`.trim(), headers: got };
  });
  made.end();
  return within(Promise.race([upgraded, answered]), "an answer");
}

describeRawSocket({
  name: "websocket",
  connect: async ({ port }, query) => RawWebSocketClient.connect(port, query),
  refused: async ({ port }, query) => (await asked(port, query)).status,
  binary: (bytes) => `hex ${Buffer.from(bytes).toString("hex")}`,
  close: (code, text = "") => `${code} ${text}`.trim(),
});

describe("a raw socket over WebSocket only", () => {
  const shards: TestShard[] = [];
  after(() => {
    for (const shard of shards) shard.close();
  });

  async function serving(
    callbacks: Partial<RawSocketCallbacks<object>> = {},
    mount: Partial<RawMountDefinition> = {},
    options: Options = {},
  ): Promise<TestShard> {
    const socket = defineRawSocket<object>({
      connect: () => ok({}),
      handleIn: (_, frame) => reply("ok", frame),
      ...callbacks,
    });
    const shard = await startShard({ sockets: { "/raw": { socket, ...mount } } }, options);
    shards.push(shard);
    return shard;
  }

  async function ending(
    how: (client: RawWebSocketClient) => void | Promise<void>,
    mount: Partial<RawMountDefinition> = {},
    options: Options = {},
  ): Promise<{ readonly reason: ExitReason; readonly closed: string }> {
    const reason = new Deferred<ExitReason>();
    const terminate = (_: unknown, why: ExitReason): void => reason.resolve(why);
    const { port } = await serving({ terminate }, mount, options);
    const client = await RawWebSocketClient.connect(port);
    await how(client);
    const why = await within(reason.promise, "terminate");
    // A paused client must read again to see its end.
    client.ws.resume();
    return { reason: why, closed: await client.closed() };
  }

  it("sees pings, which are answered, and pongs, with their data", async () => {
    const { port } = await serving({
      handleControl: (_, { opcode, data }) => ok(`${opcode}:${Buffer.from(data).toString()}`),
    });
    const client = await RawWebSocketClient.connect(port);
    const pong = once(client.ws, "pong");
    client.ws.ping("abc");
    assert.equal(await client.next(), "ping:abc");
    assert.equal(String((await within(pong, "the pong"))[0]), "abc");
    client.ws.pong("def");
    assert.equal(await client.next(), "pong:def");
    client.ws.ping();
    assert.equal(await client.next(), "ping:");
  });

  it("pings its client, with data and without", async () => {
    const { port } = await serving({
      handleIn: (_, { data }) =>
        reply("ok", data === "bare" ? { opcode: "ping" } : { opcode: "ping", data }),
      handleControl: (_, { opcode, data }) => ok(`${opcode}:${Buffer.from(data).toString()}`),
    });
    const client = await RawWebSocketClient.connect(port);
    await client.send("bare");
    assert.equal(await client.next(), "pong:");
    await client.send("payload");
    assert.equal(await client.next(), "pong:payload");
    await client.send("x".repeat(125));
    assert.equal(await client.next(), `pong:${"x".repeat(125)}`);
    await client.send("x".repeat(126));
    assert.equal(await client.closed(), "1011");
  });

  it("ignores control frames without handleControl", async () => {
    const { port } = await serving();
    const client = await RawWebSocketClient.connect(port);
    const pong = once(client.ws, "pong");
    client.ws.ping("abc");
    await within(pong, "the pong");
    await client.send("hi");
    assert.equal(await client.next(), "hi");
  });

  it("sends bytes as a text frame and a string as a binary frame on request", async () => {
    const { port } = await serving({
      handleIn(socket) {
        socket.push({ opcode: "text", data: Buffer.from("äb") });
        socket.push({ opcode: "binary", data: "äb" });
        socket.push("");
      },
    });
    const client = await RawWebSocketClient.connect(port);
    await client.send("go");
    assert.deepEqual(
      [await client.next(), await client.next(), await client.next()],
      ["äb", "hex c3a462", ""],
    );
  });

  it("sends what it pushed, and the reply of its stop, before it closes", async () => {
    const { port } = await serving({
      handleIn(socket) {
        socket.push("first");
        return stop("normal", reply("ok", "last"));
      },
    });
    const client = await RawWebSocketClient.connect(port);
    await client.send("go");
    assert.deepEqual([await client.next(), await client.next()], ["first", "last"]);
    assert.equal(await client.closed(), "1000");
  });

  it("passes to terminate who closed, and how", async () => {
    const remote = await ending((client) => client.close());
    assert.deepEqual(remote, { reason: "remote", closed: "1000" });
    const broken = await ending((client) => client.ws.terminate());
    assert.deepEqual(broken, { reason: "closed", closed: "1006" });
    const idle = await ending(() => {}, { websocket: { timeoutMs: 250 } });
    assert.deepEqual(idle, { reason: "timeout", closed: "1002" });
    const large = await ending((client) => client.send("x".repeat(200)), {
      websocket: { maxFrameBytes: 128 },
    });
    assert.equal(large.closed, "1009");
    assert.equal((large.reason as { code?: string }).code, "SIM_ERR_FRAME_TOO_LARGE");
  });

  it("cuts a client that receives too slowly", async () => {
    const { reason, closed } = await ending(
      async (client) => {
        client.ws.pause();
        await client.send("x".repeat(60_000));
        for (let count = 0; count < 200; count += 1) await client.send("y".repeat(60_000));
      },
      {},
      { maxBackpressureBytes: 16_384, slowClientMs: 20 },
    );
    assert.deepEqual([reason, closed], ["closed", "1006"]);
  });

  it("has the options of a mount: subprotocols, errorHandler, origins, auth token, compression", async () => {
    const shard = await serving(
      {
        connect: ({ params, connectInfo }) =>
          params["limit"] === "1" ? error("limit") : ok({ token: connectInfo.authToken }),
        handleIn: (socket) => ok(JSON.stringify(socket.state)),
      },
      {
        websocket: {
          subprotocols: ["chat"],
          errorHandler: (reason) => ({ status: 429, body: `too much: ${String(reason)}` }),
          checkOrigin: ["https://example.com"],
          compress: true,
        },
        authToken: true,
      },
    );
    const { port } = shard;
    assert.equal((await asked(port, "limit=1")).status, "429 too much: limit");
    assert.equal((await asked(port, "", { origin: "https://other.com" })).status, "403");
    const name = "sec-websocket-protocol";
    const chosen = await asked(port, "", { [name]: "other, chat" });
    assert.deepEqual([chosen.status, chosen.headers[name]], ["101", "chat"]);
    assert.equal((await asked(port, "", { [name]: "mqtt" })).status, "403");
    const token = `base64url.bearer.phx.${Buffer.from("secret").toString("base64").replaceAll("=", "")}`;
    const ws = new WebSocket(`ws://127.0.0.1:${port}/raw/websocket`, ["phoenix", token]);
    await within(once(ws, "open"), "the open connection");
    assert.match(ws.extensions, /permessage-deflate/);
    const answer = once(ws, "message");
    ws.send("who?");
    assert.equal(String((await within(answer, "an answer"))[0]), '{"token":"secret"}');
    ws.terminate();
  });

  it("has its own paths, with variables, and may have no WebSocket at all", async () => {
    const shard = await serving(
      {
        connect: ({ params }) => ok({ params }),
        handleIn: (socket) => ok(JSON.stringify(socket.state)),
      },
      { websocket: { path: "/at/:place" } },
    );
    const ws = new WebSocket(`ws://127.0.0.1:${shard.port}/raw/at/home?a=1`);
    await within(once(ws, "open"), "the open connection");
    const answer = once(ws, "message");
    ws.send("where?");
    const got = String((await within(answer, "an answer"))[0]);
    assert.equal(got, '{"params":{"a":"1","place":"home"}}');
    ws.terminate();
    const none = await serving({}, { websocket: false, longpoll: true });
    assert.equal((await asked(none.port)).status, "404");
  });

  it("is closed with 1011 if init throws after connect has accepted", async () => {
    const ends: ExitReason[] = [];
    const shard = await serving({
      init() {
        throw new Error("not today");
      },
      terminate: (_, reason) => void ends.push(reason),
    });
    const client = await RawWebSocketClient.connect(shard.port);
    assert.equal(await client.closed(), "1011");
    assert.equal((ends[0] as Error).message, "not today");
  });

  it("closes only with codes and texts that are valid in a close frame", async () => {
    const { closeWith } = await import("../../src/socket/close-with.ts");
    for (const code of [999, 1004, 1005, 1006, 1015, 2999, 5000, 1000.5, Number.NaN]) {
      assert.throws(() => closeWith(code), {
        code: "SIM_ERR_OPTION_INVALID",
        message: /^code must be/,
      });
    }
    for (const code of [1000, 1003, 1007, 1014, 3000, 4999])
      assert.equal(closeWith(code).code, code);
    assert.throws(() => closeWith(4000, "é".repeat(62)), {
      message: "text must be a string of at most 123 (bytes), got 124 (bytes)",
    });
    assert.equal(closeWith(4000, "x".repeat(123)).text.length, 123);
  });
});
