/**
 * The official client, unchanged, over server-sent events.
 *
 * Runs on: the test's thread; the server's shards are separate threads.
 * Slow: connections are torn for a while.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, describe, it } from "node:test";

import type { Socket } from "phoenix";

import { Client, SseTransport } from "../../src/client/index.ts";
import type app from "../apps/streams.ts";
import { untilSo, within } from "../support/deadline.ts";
import { Heard, upTo } from "../support/heard.ts";
import { connectPhoenix, disconnect, join, push, received } from "../support/phoenix-client.ts";
import { restartShards, startServer, type Server } from "../support/server.ts";
import { TornProxy } from "../support/torn-proxy.ts";
import { Deferred } from "../support/world.ts";

/** Of a mount whose path is another one. */
class AtEvents extends SseTransport {
  static override path = "/events";
}

async function countOf(server: Server, id: string): Promise<number> {
  return (await server.sockets()).filter((socket) => socket.id === id).length;
}

async function isThere(server: Server, id: string): Promise<boolean> {
  return (await countOf(server, id)) > 0;
}

describe("SseTransport, with the official client", () => {
  let server: Server;
  let proxy: TornProxy;
  let sockets: Socket[] = [];
  before(async () => {
    server = await startServer("streams", { shards: 2 });
    proxy = await TornProxy.start(server.port);
  });
  after(async () => {
    proxy.close();
    await server.close();
  });
  afterEach(async () => {
    await Promise.all(sockets.map((socket) => disconnect(socket)));
    sockets = [];
    proxy.blocked = undefined;
  });

  async function connected(
    params: Record<string, string> = {},
    options: Parameters<typeof connectPhoenix>[2] = {},
    mount = "/socket",
  ): Promise<Socket> {
    const all = { transport: SseTransport, ...options };
    const socket = await connectPhoenix(proxy.port, params, all, "ws", mount);
    sockets.push(socket);
    return socket;
  }

  it("joins, pushes and gets replies, texts and bytes", async () => {
    const socket = await connected({ user: "ann" }, { authToken: "secret" });
    const room = socket.channel("room:1", {});
    await join(room);
    assert.deepEqual(await push(room, "told", {}), {
      user: "ann",
      transport: "sse",
      token: "secret",
    });
    assert.deepEqual(await push(room, "echo", { text: "ä\n=" }), { text: "ä\n=" });
    const shown = received(room, "shown");
    room.push("show", Uint8Array.of(0, 10, 255).buffer);
    assert.deepEqual([...new Uint8Array((await shown) as ArrayBuffer)], [0, 10, 255]);
  });

  it("sends frames of bytes that would not fit a POST in base64, between others", async () => {
    const socket = await connected();
    const room = socket.channel("room:large", {});
    await join(room);
    const shown = received(room, "shown");
    room.push("show", new Uint8Array(250_000).fill(7).buffer);
    assert.deepEqual(await push(room, "echo", { n: 1 }), { n: 1 });
    const bytes = new Uint8Array((await shown) as ArrayBuffer);
    assert.deepEqual([bytes.length, bytes.every((each) => each === 7)], [250_000, true]);
  });

  it("closes with 1009 after a frame that is too long, as a WebSocket does, and connects again", async () => {
    const socket = await connected({ user: "large" });
    const room = socket.channel("room:large", {});
    await join(room);
    const closed = new Promise<{ code: number }>((resolve) => {
      socket.onClose(resolve as (event: unknown) => void);
    });
    const again = new Promise<void>((resolve) => {
      socket.onOpen(resolve);
    });
    room.push("show", new Uint8Array(262_144).buffer);
    assert.equal((await within(closed, "the close")).code, 1_009);
    await within(again, "another connection");
    assert.deepEqual(await push(room, "echo", { n: 1 }), { n: 1 });
    // Without a word from its client it would wait for 15 s.
    const what = "the end of the first session";
    await untilSo(async () => (await countOf(server, "users:large")) === 1, what, 10_000);
  });

  it("delivers a burst in order", async () => {
    const room = (await connected()).channel("room:burst", {});
    await join(room);
    const heard = new Heard(room, "one");
    room.push("many", { count: 2_000, size: 100 });
    await heard.until(2_000);
    assert.deepEqual(heard.numbers, upTo(2_000));
  });

  it("stays joined while connections are torn, and loses and doubles nothing in either direction", async () => {
    const room = (await connected()).channel("room:torn", {});
    let joins = 0;
    room.join().receive("ok", () => {
      joins += 1;
    });
    const said = new Heard(room, "said");
    const shouted = new Heard(room, "shout");
    await push(room, "echo", {});
    for (let n = 1; n <= 200; n += 1) {
      room.push("shout", { n });
      server.broadcast("room:torn", "said", { n });
      if (n % 20 === 0) {
        await said.until(n - 10);
        proxy.tear();
      }
    }
    await Promise.all([said.until(200), shouted.until(200)]);
    assert.deepEqual(said.numbers, upTo(200));
    assert.deepEqual(shouted.numbers, upTo(200));
    assert.equal(joins, 1);
  });

  it("notices that a stream is silent, and goes on with another one", async () => {
    const room = (await connected({}, {}, "/beating")).channel("room:silent", {});
    await join(room);
    const said = new Heard(room, "said");
    for (let n = 1; n <= 3; n += 1) {
      proxy.mute();
      server.broadcast("room:silent", "said", { n });
      await said.until(n);
    }
    assert.deepEqual(said.numbers, upTo(3));
    // The client's requests would otherwise use silent connections again.
    proxy.tear();
  });

  it("joins again after its session has ended, and resumes by the history", async () => {
    const socket = await connected({ user: "bob" });
    const channel = new Client<typeof app>(socket).channel("long:gone", {});
    const said = new Heard(channel.channel, "said");
    await channel.join();
    for (let n = 1; n <= 60; n += 1) {
      await server.publish("long:gone", "said", { n });
      if (n % 20 === 0) server.disconnect("users:bob");
      if (n === 30) await restartShards(server);
    }
    await said.until(60);
    assert.deepEqual(said.numbers, upTo(60));
  });

  it("tells the server that it has left", async () => {
    const socket = await connected({ user: "eve" });
    const room = socket.channel("room:left", {});
    await join(room);
    assert.ok(await isThere(server, "users:eve"));
    await disconnect(sockets.pop() as Socket);
    // Its session would otherwise wait for 15 s.
    await untilSo(async () => !(await isThere(server, "users:eve")), "the end of the session");
  });

  it("closes with 1008 if it may not connect, and reconnects", async () => {
    const errors: unknown[] = [];
    const transport = new SseTransport(
      `ws://127.0.0.1:${server.port}/socket/websocket?vsn=2.0.0&refuse=1`,
    );
    const closed = new Promise<unknown>((resolve) => {
      Object.assign(transport, {
        onerror: (error: unknown) => errors.push(error),
        onclose: resolve,
      });
    });
    const close = await within(closed, "the close");
    assert.deepEqual(close, { code: 1_008, reason: "", wasClean: false });
    assert.deepEqual(errors, [403]);
  });

  it("connects to another path in a subclass", async () => {
    const transport = new AtEvents(`ws://127.0.0.1:${server.port}/strict/websocket?vsn=2.0.0`);
    const opened = new Promise<void>((resolve) => {
      Object.assign(transport, { onopen: resolve });
    });
    await within(opened, "the connection");
    transport.close();
  });

  it("falls back to long-poll, and returns", async () => {
    const store = new Map<string, string>();
    const sessionStorage = {
      getItem: (key: string) => store.get(key) ?? null,
      setItem: (key: string, value: string) => {
        store.set(key, value);
      },
    };
    proxy.blocked = "/sse?";
    const socket = await connected({}, { longPollFallbackMs: 5_000, sessionStorage });
    const channel = new Client<typeof app>(socket).channel("long:fallback", {});
    const said = new Heard(channel.channel, "said");
    await channel.join();
    const via = async (): Promise<unknown> => (await server.sockets())[0]?.transport;
    assert.equal(await via(), "longpoll");
    assert.ok(proxy.refusals > 0);
    await server.publish("long:fallback", "said", { n: 1 });
    await said.until(1);

    proxy.blocked = undefined;
    const rejoined = new Promise<void>((resolve) => {
      channel.onRecovered(({ recovered }) => {
        assert.ok(recovered);
        resolve();
      });
    });
    socket.replaceTransport(SseTransport);
    await server.publish("long:fallback", "said", { n: 2 });
    store.clear();
    socket.connect();
    await within(rejoined, "the join over server-sent events");
    await server.publish("long:fallback", "said", { n: 3 });
    await said.until(3);
    assert.deepEqual(said.numbers, upTo(3));
    await untilSo(async () => (await via()) === "sse", "the end of the long-poll session");
  });
});

/** A server whose answers are up to the test. */
async function answering(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly endPoint: string; close(): void }> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    endPoint: `ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0&token=secret`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function openEvent(resumeMs: number): string {
  const data = JSON.stringify({ session: "s", resumeMs, heartbeatMs: 15_000 });
  return `event: open\ndata: ${data}\n\n`;
}

describe("SseTransport, with a server", () => {
  it("that ends each stream at once: waits longer each time, and closes after the time to resume", async (test) => {
    let streams = 0;
    const server = await answering((_request, response) => {
      streams += 1;
      response.end(streams === 1 ? openEvent(300) : ": nothing\n\n");
    });
    test.after(() => server.close());
    const transport = new SseTransport(server.endPoint);
    const closed = new Promise<unknown>((resolve) => {
      Object.assign(transport, { onclose: resolve });
    });
    test.after(() => transport.close());
    const close = await within(closed, "the close");
    assert.deepEqual(close, { code: 1_006, reason: "", wasClean: false });
    assert.ok(streams >= 3 && streams <= 6, `${streams} streams`);
  });

  it("posts and leaves without the parameters of its connect", async (test) => {
    const asked: string[] = [];
    const left = new Deferred<void>();
    const server = await answering(({ method, url }, response) => {
      asked.push(`${method} ${url}`);
      if (method === "GET") response.write(openEvent(15_000));
      else response.writeHead(204).end();
      if (method === "POST") transport.close();
      if (method === "DELETE") left.resolve();
    });
    test.after(() => server.close());
    const transport = new SseTransport(server.endPoint);
    transport.send("frame");
    await within(left.promise, "the DELETE");
    assert.deepEqual(asked, [
      "GET /socket/sse?vsn=2.0.0&token=secret",
      "POST /socket/sse",
      "DELETE /socket/sse",
    ]);
  });
});
