/**
 * The example of live cursors: a client that reads sees every move, and one that does not only loses old ones.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import type { Socket } from "phoenix";
import type { WebSocket } from "ws";

import { serve } from "../../src/index.ts";
import { connectPhoenix, disconnect } from "../support/phoenix-client.ts";
import type { Server } from "../support/server.ts";
import { Watched } from "../support/watched.ts";
import { openBoard, type Position } from "./cursors/client.ts";

/** Moves of one second. */
const MOVES = 60;
const FRAME_MS = 1_000 / 60;
/** Makes moves large enough to fill the system's buffers quickly; otherwise this would take minutes. */
const PAD = "x".repeat(32_768);
/** More than fits into any system's buffers for one connection. */
const MOST_LARGE_MOVES = 2_000;

/** All guests, to be closed at the end of a test. */
const guests: Guest[] = [];

/** A client at the board, and what its page shows. */
class Guest {
  readonly socket: Socket;
  readonly move: (to: Position) => void;
  /** The positions of each cursor; undefined when it was gone. */
  readonly moves = new Map<string, (number | undefined)[]>();
  readonly missed: number[] = [];
  opened = 0;
  closes = 0;
  readonly #shown = new Watched();

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.onClose(() => (this.closes += 1));
    this.move = openBoard(socket, "1", {
      open: () => {
        this.opened += 1;
        this.#shown.changed();
      },
      cursor: (user, position) => {
        this.moves.set(user, [...this.movesOf(user), position?.x]);
        this.#shown.changed();
      },
      missed: (count) => {
        this.missed.push(count);
        this.#shown.changed();
      },
    });
  }

  static async at(server: Server, user: string): Promise<Guest> {
    const guest = new Guest(await connectPhoenix(server.port, { user }));
    guests.push(guest);
    await guest.until(`the join of ${user}`, () => guest.opened === 1);
    return guest;
  }

  movesOf(user: string): readonly (number | undefined)[] {
    return this.moves.get(user) ?? [];
  }

  /** Returns where a cursor is shown now. */
  seen(user: string): number | undefined {
    return this.movesOf(user).at(-1);
  }

  /** Waits until the page shows something. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    await this.#shown.until(what, isSo);
  }

  /** Stops reading from the network. */
  stopReading(): void {
    (this.socket.conn as WebSocket).pause();
  }

  readOn(): void {
    (this.socket.conn as WebSocket).resume();
  }
}

async function leave(...leaving: readonly Guest[]): Promise<void> {
  await Promise.all(leaving.map(({ socket }) => disconnect(socket)));
}

describe("the example of live cursors", () => {
  let server: Server;
  before(async () => {
    server = await serve({
      app: new URL("./cursors/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: 2,
      logLevel: "silent",
    });
  });
  // Even if a test fails, because these clients would reconnect forever.
  afterEach(() => leave(...guests.splice(0)));
  after(() => server.close());

  it("shows every move to a client that reads, and the newest and a count to one that did not", async () => {
    const [ann, reader, deaf] = [
      await Guest.at(server, "ann"),
      await Guest.at(server, "bob"),
      await Guest.at(server, "cid"),
    ] as const;
    deaf.stopReading();
    let large = 0;
    while (server.stats().total.leftOut === 0) {
      assert.ok(large < MOST_LARGE_MOVES, "nothing was dropped for a client that does not read");
      server.broadcast("board:1", "at:host", { x: large, y: 0, pad: PAD });
      await reader.until(`the large move ${large}`, () => reader.seen("host") === large);
      large += 1;
    }

    const begunMs = performance.now();
    const numbers = Array.from({ length: MOVES }, (_, n) => n);
    for (const x of numbers) {
      ann.move({ x, y: x });
      await reader.until(`move ${x}`, () => reader.seen("ann") === x);
    }
    const tookMs = performance.now() - begunMs;
    // Timers may be early by a millisecond.
    assert.ok(tookMs >= (MOVES - 1) * (FRAME_MS - 1), `${MOVES} moves in ${tookMs} ms`);
    assert.deepEqual([reader.movesOf("ann"), reader.missed], [numbers, []]);
    assert.equal(reader.movesOf("host").length, large);

    deaf.readOn();
    await deaf.until("the count of what was missed", () => deaf.missed.length > 0);
    assert.deepEqual(deaf.movesOf("ann"), [MOVES - 1]);
    assert.equal(deaf.seen("host"), large - 1);
    assert.deepEqual(deaf.missed, [large - deaf.movesOf("host").length + MOVES - 1]);

    ann.move({ x: MOVES, y: 0 });
    await deaf.until("the next move", () => deaf.seen("ann") === MOVES);
    assert.deepEqual([deaf.opened, deaf.closes, server.stats().total.slowCut], [1, 0, 0]);
    assert.deepEqual(ann.movesOf("ann"), []);
  });

  it("sends the latest position if the mouse moves more often than 60 times a second", async () => {
    const [ann, bob] = [await Guest.at(server, "ann"), await Guest.at(server, "bob")] as const;
    for (let x = 1; x <= 1_000; x += 1) ann.move({ x, y: 0 });
    await bob.until("the latest position", () => bob.seen("ann") === 1_000);
    assert.deepEqual(bob.movesOf("ann"), [1, 1_000]);
    await disconnect(ann.socket);
    await bob.until("no cursor", () => bob.movesOf("ann").length === 3);
    assert.equal(bob.seen("ann"), undefined);
  });

  it("accepts only numbers", async () => {
    const [ann, bob] = [await Guest.at(server, "ann"), await Guest.at(server, "bob")] as const;
    ann.move({ x: "<b>" as unknown as number, y: 0 });
    ann.move({ x: 7, y: 0 });
    await bob.until("the move", () => bob.seen("ann") === 7);
    assert.deepEqual(bob.movesOf("ann"), [7]);
  });
});
