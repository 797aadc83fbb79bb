/**
 * The guide for those who come from Socket.IO: its app and its client, on two shards.
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

/** All who are there, for the end of a test. */
const guests: Guest[] = [];

/** Somebody in a room, and what the page shows there. */
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

  /** Two in a room who have heard of each other. */
  async function two(): Promise<[ann: Guest, bob: Guest]> {
    const ann = await entered("ann");
    await ann.room.say("first");
    const bob = await entered("bob");
    await bob.room.say("second");
    await ann.until("bob joined");
    return [ann, bob];
  }

  it("answers what is emitted, and sends it to everyone in the room", async () => {
    const [ann, bob] = await two();
    assert.equal(typeof (await ann.room.say("hi")).atMs, "number");
    await Promise.all([ann.until("ann: hi"), bob.until("ann: hi")]);
    await assert.rejects(ann.room.say(""), {
      code: "SIM_ERR_REPLY_REFUSED",
      response: { reason: "empty" },
    });
  });

  it("says that one types, and leaves, to the others only", async () => {
    const [ann, bob] = await two();
    bob.room.typing();
    await bob.room.say("what was typed"); // Whatever bob is sent of his typing has come.
    await bob.room.leave();
    await ann.until("bob left");
    assert.ok(ann.shown.includes("bob typing"), ann.shown.join(", "));
    assert.ok(!bob.shown.includes("bob typing"), bob.shown.join(", "));
  });

  it("reaches one user, on whichever shard", async () => {
    const [ann, bob] = await two();
    ann.room.whisper("bob", "psst");
    await bob.until("ann whispers: psst");
    assert.ok(!ann.shown.includes("ann whispers: psst"), ann.shown.join(", "));
  });

  it("keeps out of a room who may not be there", async () => {
    const bob = await entered("bob", "staff");
    await bob.until('refused {"reason":"no"}');
  });
});
