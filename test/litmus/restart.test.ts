/**
 * All shards are restarted in turn while all clients broadcast records of several fragments
 * through the smallest rings, which are full all the time. Drained clients come back at once.
 *
 *   of each speaker, every listener that stays: 1, 2, 3 … to the last that any hears   allowed
 *   a gap, a repeat, a phx_error, a listener that lacks the last                        forbidden
 *
 * Seen to fail with: a thread that ends with records in its queues (no `exchange.sent` in its drain),
 * a number that is free before every other member has forgotten it
 *
 * Slow: a race needs many rounds.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { setImmediate } from "node:timers/promises";

import { serve } from "../../src/index.ts";
import { AppFile, chatApp } from "../support/app-file.ts";
import { within } from "../support/deadline.ts";
import { litmusDeadlineMs, litmusRounds } from "../support/litmus.ts";
import { SECRET_KEY_BASE } from "../support/server.ts";
import { Talker } from "../support/talker.ts";

const SHARDS = 3;
const CLIENTS = 6;
const TURNS = litmusRounds(1_000_000);
/** The smallest ring: a record has at most 504 bytes, so each is of six fragments. */
const RING_BYTES = 4_096;
const FILLER_BYTES = 2_500;
/** Numbers that a speaker says before all others have heard the first of them. */
const AHEAD = 100;

/** All clients of a run, in the order of their joins: each hears all of those that come after it. */
class Crowd {
  readonly talkers: Talker[] = [];
  readonly #port: number;
  #names = 0;
  #isOver = false;

  constructor(port: number) {
    this.#port = port;
  }

  /** Adds one. Where its connection ends, it comes back under another name. */
  async join(): Promise<void> {
    this.#names += 1;
    const talker = await Talker.join(this.#port, "room:1", `t${this.#names}`, FILLER_BYTES);
    this.talkers.push(talker);
    void talker.closed.then(() => (this.#isOver ? undefined : this.join()));
  }

  /** Has all speak until something is done. */
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

  // So far ahead of who hears it last that queues are never empty, and never as long as to be lapped.
  // Its own shard is no measure: what it says is heard there at once.
  #mayGoOn(speaker: Talker): boolean {
    const { name, said } = speaker;
    return this.talkers.every((other) => {
      if (!other.isOpen) return true;
      const unheard = this.#wasThere(other, speaker) ? 0 : said;
      return said - (other.heard.get(name) ?? unheard) < AHEAD;
    });
  }

  /** Tells whether one was there before another spoke. */
  #wasThere(other: Talker, speaker: Talker): boolean {
    return this.talkers.indexOf(other) <= this.talkers.indexOf(speaker);
  }

  /** Waits until all that stay have heard what any of them heard of one; it must be the same. */
  async check(speaker: Talker): Promise<void> {
    const { name, isOpen, said } = speaker;
    const listeners = this.talkers.filter(
      (other) => other.isOpen && (this.#wasThere(other, speaker) || other.heard.has(name)),
    );
    const heard = listeners.map((listener) => listener.heard.get(name) ?? 0);
    const last = isOpen ? said : Math.max(0, ...heard);
    for (const listener of listeners) {
      await listener.hears(name, last);
      assert.equal(listener.heard.get(name) ?? 0, last, `${listener.name} heard of ${name}`);
      if (this.#wasThere(listener, speaker) && last > 0) assert.equal(listener.first.get(name), 1);
    }
  }
}

it("loses nothing among clients that stay, and doubles nothing", async () => {
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
});
