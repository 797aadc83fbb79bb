/**
 * A shard on the test's own thread: the real engine on a free loopback port, without a Worker.
 *
 * Runs on: the test's thread.
 */

import { Logger } from "../../src/log/logger.ts";
import type { Options } from "../../src/options/options.ts";
import { LINK_MEMBER, makeNodeMemory } from "../../src/server/memory-plan.ts";
import { defineEndpoint } from "../../src/endpoint/endpoint.ts";
import type { EndpointCallbacks } from "../../src/endpoint/endpoint.ts";
import type { FigureName } from "../../src/shard/control.ts";
import { Shard } from "../../src/shard/shard.ts";
import { readCounters } from "../../src/memory/counters.ts";
import { Figures } from "../../src/memory/figures.ts";
import { Life } from "../../src/memory/life.ts";
import type { CounterName } from "../../src/memory/counters-layout.ts";
import type { DrainPace } from "../../src/transport/drain.ts";
import { testEngine } from "./engine.ts";
import { smallOptions } from "./options.ts";
import { RecordingTasks } from "./world.ts";
import type { LogEntry } from "./world.ts";

/** A shard that listens. */
export interface TestShard {
  readonly shard: Shard;
  readonly port: number;
  readonly log: readonly LogEntry[];
  readonly counter: (name: CounterName) => number;
  /** What its custom transports measure: `transport name value`. */
  readonly figures: () => string[];
  /** The words that the main thread would write. */
  readonly life: Life;
  /** Closes everything at once. */
  close(): void;
}

/** Starts a shard; `numbers` contains its index and the number of shards. */
export async function startShard(
  callbacks: EndpointCallbacks,
  given: Options = {},
  numbers: { readonly shard: number; readonly data?: unknown } = { shard: 0 },
): Promise<TestShard> {
  const { engine } = await testEngine();
  const log: LogEntry[] = [];
  const figures: FigureName[] = [];
  const note = (fields: object, text: string): void =>
    void log.push({ text, fields: fields as LogEntry["fields"] });
  const options = smallOptions(given);
  const memory = makeNodeMemory(options, undefined);
  const member = LINK_MEMBER + 1;
  const values = new Figures(memory.figures, member);
  const { shard: at, data } = numbers;
  const shard = new Shard({
    start: { memory, options, member, shard: at, predecessors: 0, kept: undefined, app: "", data },
    endpoint: defineEndpoint(callbacks),
    engine,
    tasks: new RecordingTasks(),
    logger: new Logger("debug", { debug: note, info: note, warn: note, error: note }),
    onRotation: () => {},
    onFigure: (named) => void figures.push(named),
  });
  try {
    await shard.start();
  } catch (cause) {
    // A shard thread that cannot start does the same.
    shard.close();
    throw cause;
  }
  const port = await engine.listen(shard.app, "127.0.0.1", 0);
  return {
    shard,
    port,
    log,
    figures: () =>
      figures.map(({ figure, transport, name }) => `${transport} ${name} ${values.get(figure)}`),
    life: new Life(memory.life),
    counter: (name) => readCounters(memory.counters, member)[name],
    close: () => shard.close(),
  };
}

/** Returns the pace of a drain that ends all connections at once. */
export function atOnce(deadlineMs: number): DrainPace {
  return { rounds: 1, intervalMs: 0, spreadMs: 0, deadlineMs, isOfNode: false };
}
