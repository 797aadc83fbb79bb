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
import { Shard } from "../../src/shard/shard.ts";
import { readCounters } from "../../src/memory/counters.ts";
import { Life } from "../../src/memory/life.ts";
import type { CounterName } from "../../src/memory/counters-layout.ts";
import type { DrainPace } from "../../src/transport/drain.ts";
import { loadEngine } from "../../src/transport/engine/engine.ts";
import { smallOptions } from "./options.ts";
import { RecordingTasks } from "./world.ts";
import type { LogEntry } from "./world.ts";

/** A shard that listens. */
export interface TestShard {
  readonly shard: Shard;
  readonly port: number;
  readonly log: readonly LogEntry[];
  readonly counter: (name: CounterName) => number;
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
  const engine = loadEngine();
  const log: LogEntry[] = [];
  const note = (fields: object, text: string): void =>
    void log.push({ text, fields: fields as LogEntry["fields"] });
  const options = smallOptions(given);
  const memory = makeNodeMemory(options, undefined);
  const member = LINK_MEMBER + 1;
  const { shard: at, data } = numbers;
  const shard = new Shard({
    start: { memory, options, member, shard: at, predecessors: 0, kept: undefined, app: "", data },
    endpoint: defineEndpoint(callbacks),
    engine,
    tasks: new RecordingTasks(),
    logger: new Logger("debug", { debug: note, info: note, warn: note, error: note }),
    onRotation: () => {},
  });
  try {
    await shard.start();
  } catch (cause) {
    // A shard thread that cannot start does the same.
    shard.close();
    throw cause;
  }
  let port = -1;
  shard.app.listen("127.0.0.1", 0, engine.LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
    if (socket !== false) port = engine.us_socket_local_port(socket);
  });
  return {
    shard,
    port,
    log,
    life: new Life(memory.life),
    counter: (name) => readCounters(memory.counters, member)[name],
    close: () => shard.close(),
  };
}

/** Returns the pace of a drain that ends all connections at once. */
export function atOnce(deadlineMs: number): DrainPace {
  return { rounds: 1, intervalMs: 0, spreadMs: 0, deadlineMs, isOfNode: false };
}
