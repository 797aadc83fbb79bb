/**
 * How a source publishes if messages are lost on their way to keepers, which real keepers do too rarely for a test.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { makeError } from "../../../src/errors.ts";
import type { Change } from "../../../src/postgres/source/change.ts";
import { settingsOf } from "../../../src/postgres/source/options.ts";
import { Publisher, type PublishingContext } from "../../../src/postgres/source/publisher.ts";
import { SourceReports } from "../../../src/postgres/source/reports.ts";

const NOT_KEPT = makeError("SIM_ERR_NOT_KEPT", "lost on the way");
const NO_HISTORY = makeError("SIM_ERR_NO_HISTORY", "no history");
const NO_ROOM = makeError("SIM_ERR_NOT_KEPT", "an idempotencyKey must find room");

/** A context whose publishes fail as told, and what was sent through it. */
class Scripted {
  readonly sent: string[] = [];
  readonly errors: string[] = [];
  /** Returns the error of a publish; undefined if it is kept. */
  fails: (n: number, key: string | undefined, tries: number) => Error | undefined = () => undefined;
  readonly #tries = new Map<number, number>();
  /** Called with each message that is published. */
  onPublish: (n: number) => void = () => undefined;
  readonly #leading = new AbortController();
  readonly publisher: Publisher;
  readonly reports: SourceReports;

  constructor() {
    const context: PublishingContext = {
      broadcast: (topic, _event, payload) => {
        this.sent.push(`${topic} ${numberOf(payload)}`);
      },
      publish: async (topic, _event, payload, { idempotencyKey } = {}) => {
        const n = numberOf(payload);
        const tries = (this.#tries.get(n) ?? 0) + 1;
        this.#tries.set(n, tries);
        this.onPublish(n);
        await Promise.resolve();
        const error = this.fails(n, idempotencyKey, tries);
        if (error) throw error;
        this.sent.push(`${topic} ${n} ${idempotencyKey === undefined ? "without a key" : "kept"}`);
        return { epoch: "e", offset: "1" };
      },
    };
    const settings = settingsOf(
      {
        by: "triggers",
        maxInFlight: 3,
        tables: {
          "public.t": {
            map: ({ row }) => ({
              topic: String(row?.["topic"]),
              event: String(row?.["event"]),
              payload: { n: row?.["n"] },
            }),
          },
        },
        onError: ({ message }) => this.errors.push(message),
      },
      {},
    );
    this.reports = new SourceReports(
      settings,
      () => undefined,
      (_fields, text) => this.errors.push(text),
    );
    this.publisher = new Publisher(context, settings, this.reports);
  }

  /** @returns number of changes that need not be published again */
  async publish(...rows: readonly (readonly [string, number, string?])[]): Promise<number> {
    const changes = rows.map(([topic, n, event]) => changeOf(topic, n, event));
    return this.publisher.publish(changes, this.#leading.signal);
  }

  /** Lets it not lead any more. */
  loseLead(): void {
    this.#leading.abort();
  }
}

function numberOf(payload: unknown): number {
  return (payload as { n: number }).n;
}

function changeOf(topic: string, n: number, event = "e"): Change {
  return {
    operation: "insert",
    schema: "public",
    table: "t",
    row: { topic, n, event },
    old: undefined,
    hasWholeOld: false,
    unchanged: [],
    time: new Date(0),
    position: `0-${n}`,
  };
}

describe("A publisher", () => {
  it("broadcasts on topics without a history, in order with what is not known yet", async () => {
    const scripted = new Scripted();
    scripted.fails = () => NO_HISTORY;
    await scripted.publish(["a", 1], ["a", 2], ["b", 3]);
    await scripted.publish(["a", 4], ["c", 5], ["a", 6]);
    await scripted.publish(["a", 7, "other"], ["a", 8]);
    assert.deepEqual(scripted.sent, ["a 1", "a 2", "b 3", "a 4", "a 6", "c 5", "a 7", "a 8"]);
    assert.deepEqual(scripted.errors, []);
  });

  it("publishes again what was lost, in order, and nothing else", async () => {
    const scripted = new Scripted();
    scripted.fails = (n, _key, tries) => (n > 1 && tries <= 2 ? NOT_KEPT : undefined);
    await scripted.publish(["a", 1], ["a", 2], ["a", 3]);
    assert.deepEqual(scripted.sent, ["a 1 kept", "a 2 kept", "a 3 kept"]);
    assert.equal(scripted.reports.figures.messages, 3);
  });

  it("reports what is lost again and again, and goes on", async () => {
    const scripted = new Scripted();
    scripted.fails = (n) => (n === 2 ? NOT_KEPT : undefined);
    await scripted.publish(["a", 1], ["a", 2], ["a", 3]);
    assert.deepEqual(scripted.sent, ["a 1 kept", "a 3 kept"]);
    assert.deepEqual(scripted.errors, [
      "the insert of public.t at 0-2 is not published: lost on the way",
    ]);
    const { changes, messages, errors } = scripted.reports.figures;
    assert.deepEqual([changes, messages, errors], [3, 2, 1]);
  });

  it("leaves keys out for a while if a keeper has no room for them", async () => {
    const scripted = new Scripted();
    scripted.fails = (n, key) => (n >= 2 && key !== undefined ? NO_ROOM : undefined);
    await scripted.publish(["a", 1], ["a", 2], ["a", 3]);
    assert.deepEqual(scripted.sent, ["a 1 kept", "a 2 without a key", "a 3 without a key"]);
    assert.deepEqual(scripted.errors, []);
  });

  it("publishes all of many changes, some at a time", async () => {
    const scripted = new Scripted();
    const rows = Array.from({ length: 8 }, (_, n) => ["a", n] as const);
    assert.equal(await scripted.publish(...rows), 8);
    assert.deepEqual(
      scripted.sent,
      rows.map(([, n]) => `a ${n} kept`),
    );
  });

  it("leaves to the next leader what it has not sent when it does not lead any more", async () => {
    const scripted = new Scripted();
    scripted.onPublish = (n) => {
      if (n === 2) scripted.loseLead();
    };
    const rows = Array.from({ length: 8 }, (_, n) => ["a", n] as const);
    assert.equal(await scripted.publish(...rows), 3);
    assert.deepEqual(scripted.sent, ["a 0 kept", "a 1 kept", "a 2 kept"]);
    assert.equal(scripted.reports.figures.changes, 3);
  });

  it("does not publish again what was lost when it does not lead any more", async () => {
    const scripted = new Scripted();
    scripted.fails = (n) => (n === 1 ? NOT_KEPT : undefined);
    scripted.onPublish = (n) => {
      if (n === 2) scripted.loseLead();
    };
    assert.equal(await scripted.publish(["a", 0], ["a", 1], ["a", 2]), 1);
    assert.deepEqual(scripted.sent, ["a 0 kept", "a 2 kept"]);
    assert.deepEqual(scripted.errors, []);
  });
});
