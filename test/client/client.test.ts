/**
 * The typed client, on top of the official one, against a server.
 *
 * Runs on: the test's thread; the server's shards are separate threads.
 */

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { after, before, describe, it } from "node:test";

import type { Socket } from "phoenix";

import { Client } from "../../src/client/index.ts";
import type app from "../apps/asked.ts";
import { within } from "../support/deadline.ts";
import { connectPhoenix, disconnect } from "../support/phoenix-client.ts";
import { startServer } from "../support/server.ts";
import type { Server } from "../support/server.ts";

let server: Server;
before(async () => {
  server = await startServer("asked", { shards: 2 });
});
after(async () => server.close());

let number = 0;

/** Returns a channel of a new topic, and its socket. */
async function opened() {
  number += 1;
  const socket = await connectPhoenix(server.port);
  const room = new Client<typeof app>(socket).channel(`room:${number}`, { word: "please" });
  return { socket, room, topic: `room:${number}` };
}

async function joined() {
  const made = await opened();
  await made.room.join();
  return made;
}

describe("a channel of the typed client", () => {
  it("returns the answer to its join", async () => {
    const { socket, room, topic } = await opened();
    assert.deepEqual(await room.join(), { topic });
    await disconnect(socket);
  });

  it("joins with parameters that are computed for each join", async () => {
    const socket = await connectPhoenix(server.port);
    let asked = 0;
    const room = new Client<typeof app>(socket).channel("room:anew", () => {
      asked += 1;
      return { word: asked === 1 ? "now" : "please" };
    });
    await assert.rejects(room.join(), {
      code: "SIM_ERR_REPLY_REFUSED",
      message: 'join of room:anew must be accepted, got {"reason":"say please"}',
      response: { reason: "say please" },
    });
    // The official client tries again.
    const ticked = new Promise((resolve) => room.on("tick", resolve));
    await within(ticked, "the second join");
    assert.equal(asked, 2);
    await disconnect(socket);
  });

  it("returns replies, and rejects refusals", async () => {
    const { socket, room } = await joined();
    assert.deepEqual(await room.request("double", { n: 2 }), { n: 4 });
    await assert.rejects(room.request("double", { n: "2" as never }), {
      code: "SIM_ERR_REPLY_REFUSED",
      response: {
        reason: "invalid_payload",
        issues: [{ path: ["n"], message: "Invalid input: expected number, received string" }],
      },
    });
    await disconnect(socket);
  });

  it("sends and receives bytes as an ArrayBuffer", async () => {
    const { socket, room } = await joined();
    const bytes = await room.request("bytes", new Uint8Array([1, 2]).buffer);
    assert.ok(bytes instanceof ArrayBuffer);
    assert.deepEqual(new Uint8Array(bytes), new Uint8Array([1, 2]));
    await disconnect(socket);
  });

  it("calls back with each payload of an event, until it is stopped", async () => {
    const { socket, room } = await joined();
    const heard: number[] = [];
    const stop = room.on("doubled", ({ n }) => heard.push(n));
    room.push("shout", { n: 1 });
    await room.request("double", { n: 0 });
    stop();
    room.push("shout", { n: 2 });
    await room.request("double", { n: 0 });
    assert.deepEqual(heard, [1]);
    await disconnect(socket);
  });

  it("reports that a reply is late", async () => {
    const { socket, room, topic } = await joined();
    await assert.rejects(room.request("never", {}, { timeoutMs: 20 }), {
      code: "SIM_ERR_REPLY_TIMEOUT",
      message: `never on ${topic} must be answered in time`,
    });
    await disconnect(socket);
  });

  it("leaves, and can be joined again by another channel of its topic", async () => {
    const { socket, room } = await joined();
    await room.leave();
    assert.equal(room.channel.state, "closed");
    await disconnect(socket);
  });
});

describe("a request with a signal", () => {
  it("is given up when the signal is aborted, with its reason, and removes its listener", async () => {
    const { socket, room } = await joined();
    const abort = new AbortController();
    const reason = new Error("changed my mind");
    const reply = room.request("never", {}, { signal: abort.signal });
    abort.abort(reason);
    await assert.rejects(reply, reason);
    assert.equal(getEventListeners(abort.signal, "abort").length, 0);
    await disconnect(socket);
  });

  it("is not sent if the signal was aborted before", async () => {
    const { socket, room } = await joined();
    const heard: number[] = [];
    room.on("doubled", ({ n }) => heard.push(n));
    await assert.rejects(room.request("shoutBack", { n: 1 }, { signal: AbortSignal.abort() }), {
      name: "AbortError",
    });
    assert.deepEqual(await room.request("double", { n: 1 }), { n: 2 });
    assert.deepEqual(heard, []);
    await disconnect(socket);
  });

  it("removes the signal's listener when it is answered", async () => {
    const { socket, room } = await joined();
    const { signal } = new AbortController();
    await room.request("double", { n: 1 }, { signal });
    assert.equal(getEventListeners(signal, "abort").length, 0);
    await disconnect(socket);
  });
});

function lost(topic: string): object {
  const message = `channel ${topic} must stay joined until it answers`;
  return { code: "SIM_ERR_REPLY_LOST", message };
}

describe("a request whose channel is lost", () => {
  it("rejects if the channel crashes, is closed, or its connection breaks", async () => {
    for (const lose of [
      (room: Room) => room.push("crash"),
      (room: Room) => room.push("stop"),
      (room: Room) => void room.leave(),
      (_: Room, socket: Socket) => (socket.conn as WebSocket).close(),
    ]) {
      const { socket, room, topic } = await joined();
      const reply = room.request("never");
      lose(room, socket);
      await assert.rejects(within(reply, "the loss"), lost(topic));
      await disconnect(socket);
    }
  });

  it("waits for a join that is not answered yet", async () => {
    const { socket, room } = await opened();
    const join = room.join();
    assert.deepEqual(await room.request("double", { n: 3 }), { n: 6 });
    await join;
    await disconnect(socket);
  });
});

type Room = Awaited<ReturnType<typeof joined>>["room"];
