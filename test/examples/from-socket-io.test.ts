/**
 * The guide for Socket.IO users: its app and its client, on two shards.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import type { Socket } from "phoenix";

import { serve } from "../../src/index.ts";
import { connectPhoenix, disconnect } from "../support/phoenix-client.ts";
import type { Server } from "../support/server.ts";
import { Watched } from "../support/watched.ts";
import { enter, type Room } from "./from-socket-io/client.ts";

/** All guests, to be closed at the end of a test. */
const guests: Guest[] = [];

/** A client in a room, and what its page shows. */
class Guest {
  readonly shown: string[] = [];
  readonly socket: Socket;
  readonly room: Room;
  readonly #changes = new Watched();

  constructor(socket: Socket, user: string, room: string) {
    this.socket = socket;
    this.room = enter(socket, user, room, (line) => {
      this.shown.push(line);
      this.#changes.changed();
    });
  }

  async until(line: string): Promise<void> {
    await this.#changes.until(line, () => this.shown.includes(line));
  }
}

describe("the app of the guide from Socket.IO", () => {
  let server: Server;
  before(async () => {
    server = await serve({
      app: new URL("./from-socket-io/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: 2,
      logLevel: "silent",
    });
  });
  after(() => server.close());
  afterEach(async () => {
    await Promise.all(guests.splice(0).map(({ socket }) => disconnect(socket)));
  });

  async function entered(user: string, room = "lobby"): Promise<Guest> {
    const guest = new Guest(await connectPhoenix(server.port, { user }), user, room);
    guests.push(guest);
    return guest;
  }

  /** Enters two guests in a room and waits until they know of each other. */
  async function two(): Promise<[ann: Guest, bob: Guest]> {
    const ann = await entered("ann");
    await ann.room.say("first");
    const bob = await entered("bob");
    await bob.room.say("second");
    await ann.until("bob joined");
    return [ann, bob];
  }

  it("replies to a message, and sends it to everyone in the room", async () => {
    const [ann, bob] = await two();
    assert.equal(typeof (await ann.room.say("hi")).atMs, "number");
    await Promise.all([ann.until("ann: hi"), bob.until("ann: hi")]);
    await assert.rejects(ann.room.say(""), {
      code: "SIM_ERR_REPLY_REFUSED",
      response: { reason: "empty" },
    });
  });

  it("tells only the others that a client is typing or has left", async () => {
    const [ann, bob] = await two();
    bob.room.typing();
    await bob.room.say("what was typed"); // Anything sent to bob about his typing has arrived by now.
    await bob.room.leave();
    await ann.until("bob left");
    assert.ok(ann.shown.includes("bob typing"), ann.shown.join(", "));
    assert.ok(!bob.shown.includes("bob typing"), bob.shown.join(", "));
  });

  it("reaches a single user, on any shard", async () => {
    const [ann, bob] = await two();
    ann.room.whisper("bob", "psst");
    await bob.until("ann whispers: psst");
    assert.ok(!ann.shown.includes("ann whispers: psst"), ann.shown.join(", "));
  });

  it("refuses a client that may not join a room", async () => {
    const bob = await entered("bob", "staff");
    await bob.until('refused {"reason":"no"}');
  });
});
