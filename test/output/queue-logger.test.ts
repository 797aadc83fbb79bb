/**
 * The logger of a server's thread has the limits that the options set.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { LOG_LINES } from "../../src/log/logger.ts";
import { Counters, makeCountersMemory } from "../../src/memory/counters.ts";
import type { Options } from "../../src/options/options.ts";
import { OutputQueue } from "../../src/output/output-queue.ts";
import { makeQueueLogger } from "../../src/output/queue-logger.ts";
import { makeOutputMemory } from "../../src/output/queue-layout.ts";
import { smallOptions } from "../support/options.ts";

/** Logs about connections, and returns the connections of the lines that were written, then how many were not. */
function loggedWith(options: Options, connections: readonly number[]): unknown[] {
  const queue = new OutputQueue(
    makeOutputMemory(1, 65_536),
    0,
    new Counters(makeCountersMemory(1), 0),
  );
  const written: unknown[] = [];
  const note = (fields: object, text: string): void => {
    const { connection, count } = fields as {
      readonly connection?: number;
      readonly count?: number;
    };
    written.push(text === LOG_LINES.linesSuppressed.text ? { suppressed: count } : connection);
  };
  const sink = { debug: note, info: note, warn: note, error: note };
  const logger = makeQueueLogger(queue, smallOptions(options), { sink });
  for (const connection of connections) logger.log("malformedFrame", { connection });
  logger.reportSuppressed();
  return written;
}

describe("the logger of a thread", () => {
  it("writes logLinesPerConnection lines of a kind about a connection", () => {
    assert.deepEqual(loggedWith({ logLinesPerConnection: 2 }, [7, 7, 7, 8, 7]), [
      7,
      7,
      8,
      { suppressed: 2 },
    ]);
  });

  it("writes its shard's part of logLinesPerSecond, of which half are of one kind", () => {
    const connections = [1, 2, 3, 4, 5];
    assert.deepEqual(loggedWith({ logLinesPerSecond: 12, shards: 2 }, connections), [
      1,
      2,
      3,
      { suppressed: 2 },
    ]);
  });
});
