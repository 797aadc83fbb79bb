import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { describe, it } from "node:test";

import { monotonicMs } from "../../src/limits/clock.ts";
import { Logger } from "../../src/log/logger.ts";
import { Counters, makeCountersMemory, readCounters } from "../../src/memory/counters.ts";
import { lifeBytes } from "../../src/memory/life-layout.ts";
import { Life } from "../../src/memory/life.ts";
import { makeRunningMemory, readRunning, RunningNote } from "../../src/memory/running.ts";
import { SlowCallbacks } from "../../src/shard/slow-callbacks.ts";

const SLOW_MS = 100;

/** A watch of callbacks whose times the test makes up: it is `nowMs` at main's ticks. */
class Watched {
  readonly lines: object[] = [];
  readonly counters = makeCountersMemory(1);
  readonly running = makeRunningMemory(1);
  readonly life = new Life(new SharedArrayBuffer(lifeBytes(1)));
  readonly startMs = monotonicMs();
  readonly watch = new SlowCallbacks({
    life: this.life,
    note: new RunningNote(this.running, 0),
    slowCallbackMs: SLOW_MS,
    counters: new Counters(this.counters, 0),
    logger: new Logger("debug", this.#sink()),
  });

  /** Main's ticks until now, beginning some time ago. */
  ticks(agoMs: number, everyMs: number): void {
    for (let at = agoMs - everyMs; at >= 0; at -= everyMs) this.life.tick(this.startMs - at);
  }

  get slow(): number {
    return readCounters(this.counters, 0).slowCallbacks;
  }

  #sink(): ConstructorParameters<typeof Logger>[1] {
    const note = (fields: object): void => void this.lines.push(fields);
    return { debug: note, info: note, warn: note, error: note };
  }
}

describe("slow callbacks", () => {
  it("are counted, published and logged with topic and event, the log at most once in 10 s", () => {
    const events: unknown[] = [];
    const onEvent = (event: unknown): void => void events.push(event);
    subscribe("simurgh:slow_callback", onEvent);
    const watched = new Watched();
    for (let count = 0; count < 3; count += 1) {
      watched.life.tick(watched.startMs - 200);
      const since = watched.watch.begins("room:1", "echo");
      watched.ticks(200, 20);
      watched.watch.ends("room:1", "echo", since);
    }
    unsubscribe("simurgh:slow_callback", onEvent);
    assert.equal(watched.slow, 3);
    assert.equal(events.length, 3);
    assert.equal(watched.lines.length, 1);
    const [{ durationMs, ...line } = { durationMs: 0 }] = watched.lines as { durationMs: number }[];
    assert.deepEqual(line, { topic: "room:1", event: "echo", count: 1 });
    assert.ok(durationMs >= 200, `it took ${durationMs} ms`);
  });

  it("are those of the limit or longer", () => {
    const watched = new Watched();
    watched.life.tick(watched.startMs - 60);
    const since = watched.watch.begins("room:1", "echo");
    watched.ticks(60, 20);
    watched.watch.ends("room:1", "echo", since);
    assert.equal(watched.slow, 0);
  });

  it("do not include quick ones that began while main's loop was blocked", () => {
    const watched = new Watched();
    watched.life.tick(watched.startMs - 5_000);
    const since = watched.watch.begins("room:1", "echo");
    watched.life.tick(watched.startMs);
    watched.watch.ends("room:1", "echo", since);
    assert.equal(watched.slow, 0);
  });

  it("are noted for main while they run", () => {
    const { watch, running } = new Watched();
    const since = watch.begins("room:1", "echo");
    assert.deepEqual(readRunning(running, 0), { topic: "room:1", event: "echo" });
    watch.ends("room:1", "echo", since);
    assert.equal(readRunning(running, 0), undefined);
  });
});
