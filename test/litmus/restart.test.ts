/**
 * All shards are restarted in turn while all clients broadcast records of several fragments
 * through the smallest rings, which are full all the time. Drained clients come back at once.
 *
 *   of each speaker, every listener that stays: 1, 2, 3 … to the last that any hears   allowed
 *   a gap, a repeat, a phx_error, a listener that lacks the last                        forbidden
 *
 * Seen to fail with: MUTATION_LINE
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
const TURNS = Math.max(1, litmusRounds(200_000));
/** The smallest ring: a record has at most 504 bytes, so each is of six fragments. */
const RING_BYTES = 4_096;
const FILLER_BYTES = 2_500;
/** Numbers that a speaker says before it hears the first of them. */
const AHEAD = 40;

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
  /** In the order of their joins: each hears all of those that come after it. */
  const talkers: Talker[] = [];
  let names = 0;
  let isDone = false;
  const join = async (): Promise<void> => {
    names += 1;
    const talker = await Talker.join(server.port, "room:1", `t${names}`, FILLER_BYTES);
    talkers.push(talker);
    // Its own end is asserted on below: it stays, or is drained and comes back.
    void talker.closed.then(() => (isDone ? undefined : join()));
  };
  for (let count = 0; count < CLIENTS; count += 1) await join();

  const restarts = (async (): Promise<void> => {
    for (let turn = 0; turn < TURNS; turn += 1) {
      for (let shard = 0; shard < SHARDS; shard += 1) await server.restartShard(shard);
    }
  })().finally(() => {
    isDone = true;
  });
  while (!isDone) {
    for (const talker of talkers) {
      // So far behind, that queues are never empty, and never as long as to be lapped.
      if (talker.said - (talker.heard.get(talker.name) ?? 0) < AHEAD) talker.say();
    }
    await setImmediate();
  }
  await within(restarts, "the restarts", litmusDeadlineMs());

  const staying = talkers.filter(({ isOpen }) => isOpen);
  assert.ok(staying.length > 0);
  assert.ok(talkers.every(({ isOpen, closeCode }) => isOpen || closeCode === 1012));
  for (const [at, speaker] of talkers.entries()) {
    const { name, isOpen, said } = speaker;
    const listeners = staying.filter(
      (other) => talkers.indexOf(other) <= at || other.heard.has(name),
    );
    const last = isOpen ? said : Math.max(0, ...listeners.map((l) => l.heard.get(name) ?? 0));
    for (const listener of listeners) {
      await listener.hears(name, last);
      assert.equal(listener.heard.get(name) ?? 0, last, `${listener.name} heard of ${name}`);
      if (talkers.indexOf(listener) <= at && last > 0) assert.equal(listener.first.get(name), 1);
    }
  }
  assert.deepEqual(
    talkers.flatMap(({ wrong }) => wrong),
    [],
  );
  for (const talker of talkers) talker.cut();
  await server.close();
  app.remove();
});
