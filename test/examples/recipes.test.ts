/**
 * The guide of recipes: state of a shard, one user, a pool, another process, and bytes.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process.
 */

import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { after, before, describe, it } from "node:test";
import type { Socket } from "phoenix";

import { serve } from "../../src/index.ts";
import { connectPhoenix, disconnect, join, push, received } from "../support/phoenix-client.ts";
import { SECRET_KEY_BASE, type Server } from "../support/server.ts";
import { within } from "../support/deadline.ts";
import { draw, joinCanvas } from "./recipes/client.ts";
import { publish } from "./recipes/publish.ts";

const SHARDS = 2;

/** The answer of a join. */
interface Joined {
  readonly shard: number;
  readonly joins: number;
}

describe("the guide of recipes", () => {
  let server: Server;
  const sockets: Socket[] = [];

  before(async () => {
    server = await serve({
      app: new URL("./recipes/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: SHARDS,
      secretKeyBase: SECRET_KEY_BASE,
      logLevel: "silent",
    });
  });
  after(async () => {
    for (const socket of sockets) await disconnect(socket);
    await server.close();
  });

  async function connected(user: string): Promise<Socket> {
    const socket = await connectPhoenix(server.port, { user });
    sockets.push(socket);
    return socket;
  }

  it("has state of its module in each shard", async () => {
    const counts = Array.from({ length: server.shards }, () => 0);
    while (counts.some((count) => count < 2)) {
      const room = (await connected("ann")).channel("room:state");
      const { shard, joins } = (await join(room)) as Joined;
      counts[shard] = (counts[shard] ?? 0) + 1;
      assert.equal(joins, counts[shard]);
    }
  });

  it("sends to one user, on all connections of that user, and to nobody else", async () => {
    const ann = await connected("ann");
    const bobs = [await connected("bob"), await connected("bob")];
    const heard = bobs.map(async (bob) => {
      const inbox = bob.channel("inbox:2");
      const whisper = received(inbox, "whisper");
      await join(inbox);
      return whisper;
    });
    const room = ann.channel("room:lobby");
    await join(room);
    await assert.rejects(join(ann.channel("inbox:2")), /not your inbox/);
    await push(room, "whisper", { to: "bob", text: "hi" });
    assert.deepEqual(await Promise.all(heard), [
      { from: "ann", text: "hi" },
      { from: "ann", text: "hi" },
    ]);
    await assert.rejects(push(room, "whisper", { to: "zoe", text: "hi" }), /unknown user/);
  });

  it("publishes from another process, which has the secret", async () => {
    const room = (await connected("ann")).channel("room:news");
    const heard = received(room, "news");
    await join(room);
    const message = { topic: "room:news", event: "news", payload: { text: "hello" } };
    const address = `http://127.0.0.1:${server.port}`;
    await assert.rejects(publish(address, "x".repeat(64), message), /answered with 403/);
    await publish(address, SECRET_KEY_BASE, message);
    assert.deepEqual(await heard, { text: "hello" });
  });

  it("passes on bytes as bytes", async () => {
    const [ann, bob] = [await connected("ann"), await connected("bob")];
    const canvas = new EventEmitter();
    const heard = once(canvas, "drawn");
    await joinCanvas(ann, (strokes) => canvas.emit("drawn", strokes));
    const room = await joinCanvas(bob, () => {});
    draw(room, new Uint8Array([7, 0, 255]).subarray(1));
    assert.deepEqual(await within(heard, "the strokes"), [new Uint8Array([0, 255])]);
  });
});
