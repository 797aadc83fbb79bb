/**
 * The example of a chat with a history: its client code, with the official client, on two shards.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import type { Socket } from "phoenix";

import { serve } from "../../src/index.ts";
import { openedInTurn } from "../support/dealing.ts";
import { connectPhoenix, disconnect } from "../support/phoenix-client.ts";
import type { Server } from "../support/server.ts";
import { Watched } from "../support/watched.ts";
import { openRoom } from "./chat/client.ts";
import { History, type Said } from "./chat/history.ts";

const SHARDS = 2;
const KEPT = 50;

/** All guests, to be closed at the end of a test. */
const guests: Guest[] = [];

/** A client in a room, and what its page shows. */
class Guest {
  readonly texts: string[] = [];
  readonly problems: string[] = [];
  people: readonly string[] = [];
  readonly socket: Socket;
  readonly say: (text: string) => void;
  readonly #shown = new Watched();

  private constructor(socket: Socket, room: string) {
    this.socket = socket;
    this.say = openRoom(socket, room, {
      message: ({ from, text }) => this.#show(() => this.texts.push(`${from}: ${text}`)),
      people: (names) => this.#show(() => (this.people = names)),
      problem: (reason) => this.#show(() => this.problems.push(reason)),
    });
  }

  static async entered(port: number, user: string, room: string): Promise<Guest> {
    const guest = new Guest(await connectPhoenix(port, { user }), room);
    guests.push(guest);
    await guest.until(`${user} among the people`, () => guest.people.includes(user));
    return guest;
  }

  /** Waits until the page shows something. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    await this.#shown.until(what, isSo);
  }

  async heard(text: string): Promise<void> {
    await this.until(`"${text}"`, () => this.texts.includes(text));
  }

  #show(change: () => void): void {
    change();
    this.#shown.changed();
  }
}

async function leave(...leaving: readonly Guest[]): Promise<void> {
  await Promise.all(leaving.map(({ socket }) => disconnect(socket)));
}

function said(room: string, id: string): Said {
  return { id, room, from: "ann", text: "", atMs: 0 };
}

describe("the example of a chat", () => {
  let server: Server;
  before(async () => {
    server = await serve({
      app: new URL("./chat/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: SHARDS,
      logLevel: "silent",
    });
  });
  // Even if a test fails, because these clients would reconnect forever.
  afterEach(() => leave(...guests.splice(0)));
  after(() => server.close());

  /** Enters as many guests as there are shards: one on each. */
  async function entered(room: string, ...users: readonly string[]): Promise<Guest[]> {
    return openedInTurn(users.length, {
      server,
      open: async (at) => Guest.entered(server.port, users[at] as string, room),
      close: (guest) => void leave(guest),
    });
  }

  it("shows the latest messages and the people to a client that joins, on every shard", async () => {
    const [ann, bob] = (await entered("lobby", "ann", "bob")) as [Guest, Guest];
    for (let n = 1; n <= KEPT + 2; n += 1) ann.say(String(n));
    await Promise.all([ann, bob].map((guest) => guest.heard(`ann: ${KEPT + 2}`)));
    const [cid, eve] = (await entered("lobby", "cid", "eve")) as [Guest, Guest];
    const last = Array.from({ length: KEPT }, (_, at) => `ann: ${at + 3}`);
    for (const guest of [cid, eve]) {
      await guest.heard(`ann: ${KEPT + 2}`);
      assert.deepEqual(guest.texts, last);
    }
    const all = ["ann", "bob", "cid", "eve"];
    await bob.until("all people", () => bob.people.join() === all.join());
    await leave(ann, cid, eve);
    await bob.until("bob alone", () => bob.people.join() === "bob");
  });

  it("shows each message once, even to a client that was away", async () => {
    const [ann, bob] = (await entered("garden", "ann", "bob")) as [Guest, Guest];
    ann.say("one");
    await bob.heard("ann: one");
    await disconnect(bob.socket);
    ann.say("two");
    await ann.heard("ann: two");
    bob.socket.connect();
    await bob.heard("ann: two");
    ann.say("three");
    await bob.heard("ann: three");
    assert.deepEqual(bob.texts, ["ann: one", "ann: two", "ann: three"]);
  });

  it("reports what is wrong with a message, and continues", async () => {
    const [ann, bob] = (await entered("hall", "ann", "bob")) as [Guest, Guest];
    for (const text of ["", "x".repeat(501), "hi"]) ann.say(text);
    await bob.heard("ann: hi");
    await ann.until("two problems", () => ann.problems.length === 2);
    assert.equal(ann.problems[1], "a message must have 1 to 500 characters");
    assert.deepEqual(bob.texts, ["ann: hi"]);
  });

  it("keeps rooms apart", async () => {
    const [ann, bob] = (await entered("red", "ann", "bob")) as [Guest, Guest];
    ann.say("in red");
    await bob.heard("ann: in red");
    const [cid, eve] = (await entered("blue", "cid", "eve")) as [Guest, Guest];
    assert.deepEqual([cid.texts, eve.texts, cid.people.includes("ann")], [[], [], false]);
  });
});

describe("the history of the chat", () => {
  it("drops the room that was silent for longest, and the oldest message of a room", () => {
    const history = new History({ perRoom: 2, rooms: 2 });
    for (const [room, id] of ["a1", "b1", "a2", "c1", "a3"]) {
      history.add(said(String(room), String(id)));
    }
    const ids = ["a", "b", "c"].map((room) =>
      history
        .of(room)
        .map(({ id }) => id)
        .join(""),
    );
    assert.deepEqual(ids, ["23", "", "1"]);
  });
});
