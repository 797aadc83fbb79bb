/**
 * Every line this package logs, in one table, and the logger that writes them.
 *
 * Runs on: any thread; each thread has a logger of its own and writes for itself.
 */

import { pino } from "pino";

import { checkChoice } from "../definition-checks.ts";
import { LogFilter, type FilterParameters } from "./filter.ts";

/** Level of a line. */
export type LineLevel = "debug" | "info" | "warn" | "error";

/** What each line is called, its level and its text. Fields beside the text vary by line. */
export const LOG_LINES = {
  secretIsRandom: {
    level: "warn",
    text: "no secretKeyBase (SIMURGH_SECRET_KEY_BASE): a random one is used, tokens end with this process",
  },
  serverListening: { level: "info", text: "listening" },
  serverDraining: {
    level: "info",
    text: "draining: no more connections, those that are there close",
  },
  serverDrained: { level: "info", text: "drained" },
  serverClosing: { level: "info", text: "closing" },
  shardReady: { level: "debug", text: "shard ready" },
  shardEnded: { level: "error", text: "shard ended unexpectedly" },
  shardReplaced: { level: "warn", text: "shard replaced" },
  shardRestarted: { level: "info", text: "shard restarted" },
  shardNotRestarted: { level: "error", text: "shard not restarted: the old one goes on" },
  stopFailed: { level: "error", text: "stop of the app threw" },
  recordsLost: { level: "warn", text: "a shard ended with records unsent: all channels are told" },
  shardGivenUp: { level: "error", text: "shard ended too often, not replaced" },
  linkEnded: { level: "error", text: "link to other nodes ended unexpectedly" },
  linkFailed: { level: "error", text: "link to other nodes could not be replaced, is tried again" },
  linkReplaced: {
    level: "warn",
    text: "link to other nodes replaced: what was broadcast meanwhile has not crossed, and both sides are told",
  },
  linkGivenUp: {
    level: "error",
    text: "link to other nodes ended too often, not replaced: this node is alone",
  },
  linkConnected: { level: "info", text: "connected to other nodes" },
  linkDisconnected: {
    level: "error",
    text: "no connection to other nodes: this node is alone, tries again, and will tell what was lost",
  },
  linkTerminated: { level: "warn", text: "link did not run dry in time, its thread was ended" },
  shardTerminated: { level: "warn", text: "shard did not run dry in time, its thread was ended" },
  noShardLeft: { level: "error", text: "no shard left: new connections get 503" },
  exitInShard: { level: "error", text: "process.exit was called in a shard: the shard ends" },
  uncaught: { level: "error", text: "uncaught exception outside any handler" },
  recordFailed: { level: "error", text: "a record from another thread could not be delivered" },
  lapped: { level: "warn", text: "a thread was overtaken: its channels concerned get phx_error" },
  channelLapped: { level: "debug", text: "a channel missed broadcasts: its client joins anew" },
  linkLapped: {
    level: "warn",
    text: "the link was overtaken: other nodes are told which topics lost broadcasts",
  },
  gap: {
    level: "warn",
    text: "broadcasts of another node were lost: its topics get phx_error here",
  },
  stalled: {
    level: "warn",
    text: "a thread takes no records: what is sent to it waits, and is lost beyond overflowBytes",
  },
  stallEnded: { level: "info", text: "a stalled thread goes on, or was replaced" },
  adapterFailed: { level: "error", text: "the adapter failed" },
  connected: { level: "info", text: "CONNECTED TO" },
  refused: { level: "info", text: "REFUSED CONNECTION TO" },
  expired: { level: "info", text: "EXPIRED CONNECTION TO" },
  connectFailed: { level: "error", text: "connect threw, or did not settle in time" },
  connectInvalid: { level: "error", text: "connect or id returned something else" },
  originRefused: {
    level: "error",
    text: "the request's origin is not allowed: see checkOrigin, and urlHost of the endpoint",
  },
  originCheckFailed: { level: "error", text: "checkOrigin threw" },
  subprotocolRefused: { level: "error", text: "no subprotocol that the client offers is served" },
  authTokenInvalid: { level: "warn", text: "the client's auth token is no base64" },
  sessionFailed: { level: "error", text: "the session's store threw: there is none" },
  errorHandlerFailed: { level: "error", text: "errorHandler threw" },
  versionInvalid: { level: "warn", text: "the client's vsn matches no serializer" },
  joined: { level: "info", text: "JOINED" },
  joinRefused: { level: "info", text: "REFUSED JOIN" },
  joinCrashed: { level: "error", text: "join crashed" },
  handledIn: { level: "debug", text: "HANDLED INCOMING" },
  duplicateJoin: { level: "debug", text: "duplicate channel join: the old channel was closed" },
  tooManyChannels: { level: "error", text: "too many channels joined" },
  unmatchedTopic: { level: "warn", text: "unmatched topic" },
  malformedFrame: { level: "error", text: "malformed frame: the connection was closed" },
  transportFailed: {
    level: "error",
    text: "a transport of the app's own threw, or did not settle",
  },
  rawSocketFailed: { level: "error", text: "a raw socket failed: its connection was closed" },
  controlFailed: { level: "error", text: "handleControl threw: the connection was closed" },
  receiveFailed: { level: "error", text: "a message failed: its connection was closed" },
  channelCrashed: { level: "error", text: "channel crashed" },
  terminateFailed: { level: "error", text: "terminate threw" },
  noHandleInfo: { level: "warn", text: "a message came and there is no handleInfo" },
  slowClient: {
    level: "warn",
    text: "a client reads too slowly: close cut its connection, error ended its channels",
  },
  batchUnsure: {
    level: "warn",
    text: "another node did not say whether it delivered what a session was sent: the session ends",
  },
  broadcastsMissed: { level: "info", text: "a slow client missed broadcasts of a channel" },
  rateLimited: {
    level: "warn",
    text: "over a rate limit: count says how much was since the last such line, at most one in 10 s",
  },
  overloadBegin: {
    level: "warn",
    text: "shard overloaded: refusing takes no joins, withdrawn no new connections either",
  },
  overloadEnd: { level: "warn", text: "shard recovered from a level of overload" },
  shardWithdrawn: { level: "warn", text: "overloaded shard taken out of the deal" },
  shardReturned: { level: "warn", text: "recovered shard put back into the deal" },
  noShardInDeal: { level: "error", text: "all shards are overloaded: new connections get 503" },
  sinkFailed: { level: "error", text: "the log sink threw: its line follows here" },
  presenceFetchFailed: {
    level: "error",
    text: "fetch of a presence failed: the diff went out as it was tracked",
  },
  presenceDispatchFailed: {
    level: "error",
    text: "dispatch of a presence threw: a diff may not have been sent",
  },
  presenceMetasFailed: { level: "error", text: "init or handleMetas of a presence threw" },
  presenceReplica: { level: "debug", text: "a shard that tracks presences came or went" },
  taskThreadFailed: { level: "error", text: "a thread of the task pool failed outside a task" },
  routeFailed: { level: "error", text: "a route threw, or did not settle in time" },
} as const satisfies Record<string, { level: LineLevel; text: string }>;

/** Name of a line. */
export type LogLine = keyof typeof LOG_LINES;

/** What writes lines: pino, console, or the user's own. */
export interface LogSink {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** Writes the lines of the table, with fields of each. */
export class Logger {
  readonly #sink: LogSink;
  readonly #least: number;
  readonly #filter: LogFilter;
  #ownSink: LogSink | undefined = undefined;

  /**
   * @param level - least level to write, one of LOG_LEVELS
   * @param sink - where lines go; without one, to standard error as JSON, at once
   * @param filter - what of clients' parameters is not written
   */
  constructor(level: string, sink: LogSink = makeSink(), filter?: FilterParameters) {
    this.#sink = sink;
    this.#least = LEVELS.indexOf(level);
    this.#filter = new LogFilter(filter);
  }

  /**
   * True where a line would be written: asked before costly fields are made.
   *
   * @param level - where it is not that of the table; false: the line is turned off
   */
  isOn(line: LogLine, level: LineLevel | false = LOG_LINES[line].level): boolean {
    return level !== false && LEVELS.indexOf(level) >= this.#least;
  }

  /** Gives parameters of a client as they may be written. */
  filtered(params: unknown): unknown {
    return this.#filter.apply(params);
  }

  /**
   * Writes a line; never throws. `fields.err` is an error, its stack included.
   *
   * @param level - as for `isOn`
   */
  log(line: LogLine, fields: object = {}, level: LineLevel | false = LOG_LINES[line].level): void {
    const { text } = LOG_LINES[line];
    if (level === false || !this.isOn(line, level)) return;
    try {
      this.#sink[level](fields, text);
    } catch (error) {
      // The user's sink. A channel that is just being ended must come to its end all the same.
      const { level: own, text: ownText } = LOG_LINES.sinkFailed;
      this.#ownSink ??= makeSink();
      this.#ownSink[own]({ err: error }, ownText);
      this.#ownSink[level](fields, text);
    }
  }
}

const LEVELS: readonly string[] = ["debug", "info", "warn", "error", "silent"];

/**
 * Checks the level of a line that a user chose: a level, false, or nothing.
 *
 * @throws SIM_ERR_DEFINITION_INVALID for anything else
 */
export function checkLogLevel(subject: string, level: unknown): void {
  if (level === undefined) return;
  checkChoice(subject, level, [...LEVELS.filter((one) => one !== "silent"), false]);
}

function makeSink(): LogSink {
  // Synchronous: a line about the end of a thread must be out before the thread is.
  const destination = pino.destination({ fd: 2, sync: true });
  // Standard error may be a terminal that is gone. There is nowhere to say so, and it ends nothing.
  destination.on("error", () => {});
  return pino({ level: "debug", base: null }, destination);
}
