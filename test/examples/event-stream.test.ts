/**
 * The example of server-sent events: the official client over a custom transport, and a client that sends each
 * request on a connection of its own.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { after, before, describe, it } from "node:test";

import { serve } from "../../src/index.ts";
import { restartAll } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { connectPhoenix, disconnect, join, received } from "../support/phoenix-client.ts";
import { RawWebSocketClient } from "../support/raw-client.ts";
import type { Server } from "../support/server.ts";
import { EventStream } from "./event-stream/client.ts";

const SHARDS = 2;
const PATH = "/socket/events";

/** A client whose requests go to all shards in turn. */
class SplitClient {
  readonly #port: number;
  readonly #events: AsyncIterator<string>;
  readonly #response: IncomingMessage;
  /** Path of its POST requests. */
  path = "";

  private constructor(port: number, response: IncomingMessage) {
    this.#port = port;
    this.#response = response;
    this.#events = eventsOf(response);
  }

  static async connect(port: number, user: string): Promise<SplitClient> {
    const response = await ask(port, "GET", `${PATH}?vsn=2.0.0&user=${user}`);
    assert.equal(response.statusCode, 200);
    assert.equal(response.headers["content-type"], "text/event-stream");
    const client = new SplitClient(port, response);
    const opened = await client.next();
    assert.match(opened, /^event: open\ndata: \/socket\/events\/[\w.-]+\/[\w-]{36}$/);
    client.path = opened.split("data: ")[1] ?? "";
    return client;
  }

  /** Sends frames, and returns the status of the answer. */
  async post(...frames: readonly string[]): Promise<number | undefined> {
    const response = await ask(this.#port, "POST", this.path, frames.join("\n"));
    response.resume();
    return response.statusCode;
  }

  async next(): Promise<string> {
    const { value, done } = await within(this.#events.next(), "an event");
    return done ? "the end" : value;
  }

  close(): void {
    this.#response.destroy();
  }
}

async function ask(
  port: number,
  method: string,
  path: string,
  body = "",
  headers: Readonly<Record<string, string>> = {},
): Promise<IncomingMessage> {
  const asked = request({ host: "127.0.0.1", port, method, path, headers, agent: false });
  const responding = once(asked, "response") as Promise<[IncomingMessage]>;
  asked.end(body);
  return (await within(responding, `an answer to ${method} ${path}`))[0];
}

async function* eventsOf(response: IncomingMessage): AsyncGenerator<string> {
  let text = "";
  for await (const piece of response) {
    text += (piece as Buffer).toString();
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    yield* events;
  }
}

function said(text: string, from: string): string {
  return `data: [null,null,"room:lobby","said",{"text":"${text}","from":"${from}"}]`;
}

describe("the example of server-sent events", () => {
  let server: Server;

  before(async () => {
    server = await serve({
      app: new URL("./event-stream/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: SHARDS,
      logLevel: "silent",
    });
  });
  after(() => server.close());

  async function joined(user: string): Promise<SplitClient> {
    const client = await SplitClient.connect(server.port, user);
    assert.equal(await client.post('["1","1","room:lobby","phx_join",{}]'), 204);
    const response = `{"status":"ok","response":{"hello":"${user}"}}`;
    assert.equal(await client.next(), `data: ["1","1","room:lobby","phx_reply",${response}]`);
    return client;
  }

  it("serves the official client, together with one over WebSocket", async () => {
    const transport = EventStream;
    const streamed = await connectPhoenix(server.port, { user: "ann" }, { transport });
    const socket = await connectPhoenix(server.port, { user: "bob" });
    const [one, two] = [streamed, socket].map((each) => each.channel("room:lobby", {}));
    assert.ok(one && two);
    assert.deepEqual(await join(one), { hello: "ann" });
    assert.deepEqual(await join(two), { hello: "bob" });
    const texts = [received(one, "said"), received(two, "said")];
    one.push("say", { text: "hi: ü" });
    for (const heard of await Promise.all(texts)) {
      assert.deepEqual(heard, { text: "hi: ü", from: "ann" });
    }
    const bytes = [received(one, "shown"), received(two, "shown")];
    one.push("show", Uint8Array.of(0, 10, 255).buffer);
    for (const shown of await Promise.all(bytes)) {
      assert.deepEqual([...new Uint8Array(shown as ArrayBuffer)], [0, 10, 255]);
    }
    server.broadcast("room:lobby", "said", { text: "hello", from: "host" });
    assert.deepEqual(await received(one, "said"), { text: "hello", from: "host" });
    const transports = (await server.sockets()).map((each) => each.transport).toSorted();
    assert.deepEqual(transports, ["event-stream", "websocket"]);
    await disconnect(streamed);
    await disconnect(socket);
  });

  it("carries payloads that another client wrote with line breaks", async () => {
    const transport = EventStream;
    const streamed = await connectPhoenix(server.port, { user: "ann" }, { transport });
    const channel = streamed.channel("room:lobby", {});
    await join(channel);
    const shown = received(channel, "shown");
    const bob = await RawWebSocketClient.connect(server.port, "vsn=2.0.0&user=bob", "/socket");
    await bob.send('["1","1","room:lobby","phx_join",{}]');
    await bob.send('["1","2","room:lobby","show",{\n\n"a":\r\n"data: b",\r"c":1}]');
    assert.deepEqual(await shown, { a: "data: b", c: 1 });
    await bob.close();
    await disconnect(streamed);
  });

  it("handles frames in order, whichever shards they arrive at", async () => {
    const clients = await Promise.all([joined("ann"), joined("eve")]);
    const count = 20;
    for (let n = 0; n < count; n += 2) {
      const frames = [n, n + 1].map((at) => `["1","${at}","room:lobby","say",{"text":"${at}"}]`);
      assert.equal(await clients[0].post(...frames), 204);
    }
    for (const client of clients) {
      for (let n = 0; n < count; n += 1) {
        assert.equal(await client.next(), said(String(n), "ann"));
      }
      client.close();
    }
  });

  it("forgets a client that disconnects", async () => {
    const [gone, left] = await Promise.all([joined("ann"), joined("eve")]);
    gone.close();
    // The shard hears of it when the system does.
    let sockets = await server.sockets();
    while (sockets.length > 1) sockets = await server.sockets();
    assert.equal(sockets[0]?.transport, "event-stream");
    assert.equal(await gone.post('["1","2","room:lobby","say",{"text":"late"}]'), 404);
    left.close();
  });

  it("refuses pages of other origins, and clients with an unknown version", async () => {
    const other = { origin: "https://example.org" };
    const statuses = [];
    for (const [query, headers] of [
      ["vsn=2.0.0", other],
      ["vsn=9.9.9", {}],
    ] as const) {
      const response = await ask(server.port, "GET", `${PATH}?${query}`, "", headers);
      response.resume();
      statuses.push(response.statusCode);
    }
    assert.deepEqual(statuses, [403, 403]);
  });

  it("tells its clients to reconnect when a shard is restarted", async () => {
    const clients = [];
    for (let n = 0; n < SHARDS; n += 1) clients.push(await joined(`user${n}`));
    await restartAll(server);
    for (const client of clients) {
      assert.equal(await client.next(), "event: close\ndata: 1012");
      assert.equal(await client.next(), "the end");
    }
    (await joined("back")).close();
  });
});
