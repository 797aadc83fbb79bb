/**
 * Creates the logger of a thread: to a sink of the user's, or as JSON into the output queue.
 *
 * Runs on: any thread that has an output queue.
 */

import type { FilterParameters } from "../log/filter.ts";
import { Logger } from "../log/logger.ts";
import { makeJsonSink, type LogSink } from "../log/sink.ts";
import type { ResolvedOptions } from "../options/options.ts";
import type { OutputQueue } from "./output-queue.ts";
import { STDERR } from "./queue-layout.ts";

/** What an app chooses about its log. */
export interface LoggerChoices {
  readonly sink?: LogSink | undefined;
  readonly filter?: FilterParameters | undefined;
}

/** Creates a logger. */
export function makeQueueLogger(
  queue: OutputQueue,
  options: ResolvedOptions,
  { sink, filter }: LoggerChoices = {},
): Logger {
  const json = makeJsonSink({ write: (line) => void queue.write(STDERR, line) });
  const { logLevel, logLinesPerConnection: linesPerConnection, logLinesPerSecond } = options;
  // Each shard has an equal share. Main and the link, which log little, have as much each.
  const linesPerSecond = Math.ceil(logLinesPerSecond / options.shards);
  const limits = { linesPerConnection, linesPerSecond };
  return new Logger(logLevel, sink ?? json, { filter, limits, fallback: json });
}
