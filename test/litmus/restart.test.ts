/**
 * All shards are restarted in turn while all clients broadcast records of several fragments through
 * the smallest rings, which are full all the time. Drained clients reconnect at once.
 *
 *   every listener that stays hears 1, 2, 3 … of each speaker, to the last that any hears   allowed
 *   a gap, a repeat, a phx_error, a listener that lacks the last number                     forbidden
 *
 * Seen to fail with: a thread that ends with records in its queues (no `exchange.sent` in its drain);
 * a number that is free before every other member has forgotten it.
 *
 * Slow: a race needs many rounds.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { setImmediate } from "node:timers/promises";

import { serve } from "../../src/index.ts";
import { AppFile, chatApp } from "../support/app-file.ts";
import { noSecondShard } from "../support/dealing.ts";
import { within } from "../support/deadline.ts";
import { litmusDeadlineMs, litmusRounds } from "../support/litmus.ts";
import { SECRET_KEY_BASE } from "../support/server.ts";
import { Talker } from "../support/talker.ts";

const SHARDS = 3;
const CLIENTS = 6;
const TURNS = litmusRounds(1_000_000);
/** The smallest ring. A record has at most 504 bytes, so each message takes six fragments. */
const RING_BYTES = 4_096;
const FILLER_BYTES = 2_500;
/** How many numbers a speaker may be ahead of the slowest listener. */
const AHEAD = 100;

/** All clients of a run in the order of their joins. Each hears everything from those after it. */
class Crowd {
  readonly talkers: Talker[] = [];
  readonly #port: number;
  #names = 0;
  #isOver = false;

  constructor(port: number) {
    this.#port = port;
  }

  /** Adds a client. If its connection ends, it reconnects under another name. */
  async join(): Promise<void> {
    this.#names += 1;
    const talker = await Talker.join(this.#port, "room:1", `t${this.#names}`, FILLER_BYTES);
    this.talkers.push(talker);
    void talker.closed.then(() => (this.#isOver ? undefined : this.join()));
  }

  /** Lets all clients speak until something is done. */
  async talkUntil(done: Promise<void>): Promise<void> {
    const end = done.finally(() => {
      this.#isOver = true;
    });
    while (!this.#isOver) {
      for (const talker of this.talkers) if (this.#mayGoOn(talker)) talker.say();
      await setImmediate();
    }
    await end;
  }

  // A speaker may be so far ahead of the slowest listener that queues are never empty, but never so long
  // that records are lapped. Listeners on its own shard would not limit it, since they hear it at once.
  #mayGoOn(speaker: Talker): boolean {
    const { name, said } = speaker;
    return this.talkers.every((other) => {
      if (!other.isOpen) return true;
      const unheard = this.#wasThere(other, speaker) ? 0 : said;
      return said - (other.heard.get(name) ?? unheard) < AHEAD;
    });
  }

  /** Reports whether a client was present before another spoke. */
  #wasThere(other: Talker, speaker: Talker): boolean {
    return this.talkers.indexOf(other) <= this.talkers.indexOf(speaker);
  }

  /** Waits until all remaining clients have heard the same from a speaker: the last that any has heard. */
  async check(speaker: Talker): Promise<void> {
    const { name, isOpen, said } = speaker;
    const listeners = this.talkers.filter(
      (other) => other.isOpen && (this.#wasThere(other, speaker) || other.heard.has(name)),
    );
    const heard = listeners.map((listener) => listener.heard.get(name) ?? 0);
    const last = isOpen ? said : Math.max(0, ...heard);
    for (const listener of listeners) {
      await listener.hears(name, last);
      assert.equal(listener.heard.get(name) ?? 0, last, `${listener.name} heard from ${name}`);
      if (this.#wasThere(listener, speaker) && last > 0) assert.equal(listener.first.get(name), 1);
    }
  }
}

it(
  "neither loses nor duplicates anything among clients that stay",
  { skip: noSecondShard },
  async () => {
    const app = new AppFile(chatApp(1));
    const server = await serve({
      app: app.path,
      host: "127.0.0.1",
      port: 0,
      secretKeyBase: SECRET_KEY_BASE,
      logLevel: "silent",
      shards: SHARDS,
      ringBytes: RING_BYTES,
      drainBatch: 1,
      drainIntervalMs: 20,
    });
    const crowd = new Crowd(server.port);
    for (let count = 0; count < CLIENTS; count += 1) await crowd.join();

    const restartAll = async (): Promise<void> => {
      for (let turn = 0; turn < TURNS; turn += 1) {
        for (let shard = 0; shard < SHARDS; shard += 1) await server.restartShard(shard);
      }
    };
    await within(crowd.talkUntil(restartAll()), "the restarts", litmusDeadlineMs());

    const { talkers } = crowd;
    assert.ok(talkers.some(({ isOpen }) => isOpen));
    assert.ok(talkers.every(({ isOpen, closeCode }) => isOpen || closeCode === 1012));
    for (const speaker of talkers) await crowd.check(speaker);
    assert.deepEqual(
      talkers.flatMap(({ wrong }) => wrong),
      [],
    );
    for (const talker of talkers) talker.cut();
    await server.close();
    app.remove();
  },
);
