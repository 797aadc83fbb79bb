/**
 * Rate limits of servers: per id and address across shards, on connect, and how the official client
 * handles them.
 *
 * Runs on: the main thread of the tests; the server's shards are threads of the same process.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { after, before, describe, it } from "node:test";
import type { Channel, Socket } from "phoenix";
import { WebSocket } from "ws";
import { Client, joined } from "../support/client.ts";
import { openedInTurn } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { connectPhoenix, disconnect, join, push } from "../support/phoenix-client.ts";
import { startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";

const SHARDS = 2;
const CONNECTIONS = 4;
/** Messages per minute, including joins. */
const LIMIT = 10;

describe("Rate limits, on 2 shards", () => {
  let server: Server;
  before(async () => {
    server = await startServer("limits", { shards: SHARDS });
  });
  after(async () => server.close());

  async function connectOfficial(
    path: string,
    params: Readonly<Record<string, string>> = {},
  ): Promise<Socket> {
    return connectPhoenix(server.port, params, {}, "ws", path);
  }

  /** Connects and joins so often, and pushes from all in turns until each was refused. */
  async function pushedUntilRefused(path: string, id: string): Promise<number> {
    // Joins count, so a client joins only if it is on the shard that it must be on.
    const sockets = await openedInTurn(CONNECTIONS, {
      server,
      open: async () => connectOfficial(path, { id }),
      close: (socket) => void disconnect(socket),
    });
    const channels = sockets.map((socket) => socket.channel("room:1", {}));
    const shards = new Set<number>();
    for (const channel of channels) {
      shards.add(((await join(channel)) as { shard: number }).shard);
    }
    assert.equal(shards.size, server.shards, "the connections are on all shards");
    const outcomes = await Promise.all(
      Array.from({ length: LIMIT * 2 }, async (_, at) => {
        try {
          await push(channels[at % CONNECTIONS] as Channel, "echo", { at });
          return "passed";
        } catch (error) {
          return String(error);
        }
      }),
    );
    const refusals = outcomes.filter((outcome) => outcome !== "passed");
    for (const refusal of refusals) {
      assert.match(refusal, /error \{"reason":"rate_limited","retry_after":(?:[1-5]\d{3}|6000)\}$/);
    }
    await Promise.all(sockets.map(disconnect));
    return outcomes.length - refusals.length;
  }

  it("hold for all connections of an id, and leave others alone", async () => {
    assert.equal(await pushedUntilRefused("/id", "users:ann"), LIMIT - CONNECTIONS);
    assert.equal(await pushedUntilRefused("/id", "users:bob"), LIMIT - CONNECTIONS);
  });

  it("hold for all connections from an address", async () => {
    assert.equal(await pushedUntilRefused("/address", "users:ann"), LIMIT - CONNECTIONS);
    const late = await Client.connect(server.port, { path: "/address" });
    const { status, response } = await late.replyTo(late.join("room:1"));
    assert.equal(status, "error");
    assert.equal((response as { reason: string }).reason, "rate_limited");
    await late.close();
  });

  it("let the official client join again by itself after a join was refused", async () => {
    const socket = await connectOfficial("/joins");
    const channels = ["room:1", "room:2", "room:3"].map((topic) => socket.channel(topic, {}));
    const refusals: unknown[] = [];
    const all = channels.map(async (channel) => {
      const back = new Promise<void>((resolve) => {
        channel
          .join()
          .receive("ok", () => resolve())
          .receive("error", (response) => void refusals.push(response));
      });
      await within(back, `the join of ${channel.topic}`);
    });
    await Promise.all(all);
    assert.deepEqual((refusals[0] as { reason: string }).reason, "rate_limited");
    assert.ok(refusals.length >= 2);
    await disconnect(socket);
  });

  it("answer too many connects with 429 and Retry-After", async () => {
    const url = `127.0.0.1:${server.port}/connects`;
    const headers = { "x-forwarded-for": "192.0.2.1" };
    async function open(id: string, from: object = headers): Promise<WebSocket | IncomingMessage> {
      const socket = new WebSocket(`ws://${url}/websocket?vsn=2.0.0&id=${id}`, {
        headers: { ...from },
      });
      const refused = once(socket, "unexpected-response").then(([, response]) => {
        socket.on("error", () => undefined);
        return response as IncomingMessage;
      });
      const opened = once(socket, "open").then(
        () => socket,
        () => refused,
      );
      return within(Promise.race([opened, refused]), "an answer to the upgrade");
    }
    const first = await open("1");
    assert.ok(first instanceof WebSocket);
    first.close();
    const polled = await fetch(`http://${url}/longpoll?vsn=2.0.0&id=2`, { headers });
    assert.equal(polled.status, 200);

    const third = await open("3");
    assert.ok(!(third instanceof WebSocket));
    assert.equal(third.statusCode, 429);
    assert.match(String(third.headers["retry-after"]), /^(?:29|30)$/);
    const poll = await fetch(`http://${url}/longpoll?vsn=2.0.0&id=4`, { headers });
    assert.equal(poll.status, 429);
    assert.match(String(poll.headers.get("retry-after")), /^(?:29|30)$/);

    const sameId = await open("1", { "x-forwarded-for": "192.0.2.2" });
    assert.ok(!(sameId instanceof WebSocket));
    assert.equal(sameId.statusCode, 429);
    assert.match(String(sameId.headers["retry-after"]), /^(?:59|60)$/);
    const another = await open("5", {});
    assert.ok(another instanceof WebSocket);
    another.close();
    assert.equal(server.stats().total.connectsLimited, 3);
  });

  it("are counted", async () => {
    const earlier = server.stats().total.rateLimited;
    const client = await Client.connect(server.port, { path: "/joins" });
    await joined(client, "room:1");
    assert.equal((await client.replyTo(client.join("room:2"))).status, "error");
    assert.equal(server.stats().total.rateLimited - earlier, 1);
    await client.close();
  });
});
