/**
 * All log lines of this package in one table, and the logger that writes them.
 *
 * Runs on: any thread; each thread has its own logger and writes its own lines.
 * Full: text in fields is cut, since clients choose much of it. If there are too many lines, further
 *       ones are suppressed and counted (see throttle).
 */

import { cutText } from "../cut-text.ts";
import { checkChoice } from "../definition-checks.ts";
import { asError } from "../error-report.ts";
import { SECRET_COMMAND } from "../options/values.ts";
import { boundedCopy, LogFilter, type FilterParameters } from "./filter.ts";
import { makeJsonSink, type LogSink } from "./sink.ts";
import { Throttle, type ThrottleLimits } from "./throttle.ts";

/** Level of a log line. */
export type LineLevel = "debug" | "info" | "warn" | "error";

/** The level and text of each line, by name. Each line has fields of its own. */
export const LOG_LINES = {
  secretIsRandom: {
    level: "warn",
    text: `no secretKeyBase (SIMURGH_SECRET_KEY_BASE): using a random one, tokens are valid for this process only; to make one: ${SECRET_COMMAND}`,
  },
  serverListening: { level: "info", text: "listening" },
  portableEngine: {
    level: "warn",
    text: "serving with the portable engine, which takes more CPU, because the native one cannot be used here",
  },
  engineOfApp: {
    level: "warn",
    text: "serving with the engine that comes with Simurgh, because the app's own cannot be used here",
  },
  oneShard: {
    level: "warn",
    text: "serving with one shard: with the portable engine, shards share a port only on Linux with Node.js 22.12 or later",
  },
  tlsLoaded: { level: "info", text: "certificate loaded" },
  tlsNotLoaded: {
    level: "error",
    text: "certificate not loaded: the previous one is kept (tlsCert, tlsKey)",
  },
  tlsNotValid: {
    level: "warn",
    text: "the certificate has expired or is not valid yet: clients refuse it (tlsCert)",
  },
  serverAttached: {
    level: "info",
    text: "attached to another server: serving the paths of the sockets",
  },
  listenPaused: {
    level: "warn",
    text: "no room for more connections: not listening until some have ended (maxConnections, or the process's limit of open files)",
  },
  listenResumed: { level: "warn", text: "room for connections: listening again" },
  listenPortTaken: {
    level: "error",
    text: "room for connections, but another program listens on the port: trying again",
  },
  connectionsRefused: {
    level: "warn",
    text: "too many idle connections: new ones are closed as soon as they open (at most one line per 10 s)",
  },
  serverDraining: {
    level: "info",
    text: "draining: accepting no new connections, closing existing ones",
  },
  serverDrained: { level: "info", text: "drained" },
  serverClosing: { level: "info", text: "closing" },
  shardReady: { level: "debug", text: "shard ready" },
  shardEnded: { level: "error", text: "shard ended unexpectedly" },
  shardReplaced: { level: "warn", text: "shard replaced" },
  shardRestarted: { level: "info", text: "shard restarted" },
  shardNotRestarted: { level: "error", text: "shard not restarted: the old one keeps serving" },
  stopFailed: { level: "error", text: "the app's stop threw" },
  recordsLost: {
    level: "warn",
    text: "a shard ended with unsent broadcasts: channels on other shards get phx_error",
  },
  shardStuck: {
    level: "error",
    text: "shard stuck: code holds its thread, and it gets no new connections (no stack: code that cannot be interrupted, such as JSON.parse)",
  },
  shardTurns: { level: "warn", text: "a stuck shard runs again" },
  callbackEnded: {
    level: "error",
    text: "ending the code that holds a stuck shard's thread, so that the shard can close its connections",
  },
  slowCallback: {
    level: "warn",
    text: "a callback held its shard's event loop for too long (count: since the last such line, at most one per 10 s)",
  },
  shardNotEnded: {
    level: "error",
    text: "a shard's thread cannot be ended: the process ends by force, and its clients are cut",
  },
  shardDied: {
    level: "error",
    text: "a shard's thread died with open connections, so the process ends: most likely it ran out of memory (oldGenerationMb)",
  },
  serverFailed: {
    level: "error",
    text: "no shard serves any more: the server must be closed and started again",
  },
  shardGivenUp: { level: "error", text: "shard ended too often: not replaced" },
  linkEnded: { level: "error", text: "link to other nodes ended unexpectedly" },
  linkFailed: { level: "error", text: "link to other nodes could not be replaced: retrying" },
  linkReplaced: {
    level: "warn",
    text: "link to other nodes replaced: broadcasts were lost meanwhile, affected channels get phx_error",
  },
  linkGivenUp: {
    level: "error",
    text: "link to other nodes ended too often: not replaced, this node is isolated",
  },
  linkConnected: { level: "info", text: "connected to other nodes" },
  linkDisconnected: {
    level: "error",
    text: "no connection to other nodes: reconnecting, lost broadcasts will be reported",
  },
  linkTerminated: { level: "warn", text: "link did not finish in time: thread terminated" },
  shardTerminated: { level: "warn", text: "shard did not finish in time: thread terminated" },
  exitInShard: { level: "error", text: "process.exit was called in a shard: the shard ends" },
  uncaught: { level: "error", text: "uncaught exception outside any handler" },
  recordFailed: { level: "error", text: "a record from another thread could not be delivered" },
  lapped: {
    level: "warn",
    text: "broadcasts to a thread were lost: affected channels get phx_error",
  },
  keptLapped: {
    level: "warn",
    text: "broadcasts with a history were lost on their way to a thread: it fetches them again",
  },
  channelLapped: { level: "debug", text: "a channel missed broadcasts: its client should rejoin" },
  linkLapped: {
    level: "warn",
    text: "broadcasts to the link were lost: other nodes are told which topics are affected",
  },
  gap: {
    level: "warn",
    text: "broadcasts from another node were lost: affected channels get phx_error",
  },
  stalled: {
    level: "warn",
    text: "a thread reads no records: they are queued, and lost beyond overflowBytes",
  },
  stallEnded: { level: "info", text: "a stalled thread recovered or was replaced" },
  adapterFailed: { level: "error", text: "the adapter failed" },
  keeperEnded: {
    level: "error",
    text: "the thread that keeps histories ended unexpectedly: channels of its topics get phx_error",
  },
  keeperFailed: { level: "error", text: "the thread that keeps histories could not be replaced" },
  keeperReplaced: {
    level: "warn",
    text: "the thread that keeps histories was replaced: what it had kept is gone",
  },
  keeperGivenUp: {
    level: "error",
    text: "the thread that keeps histories ended too often: not replaced",
  },
  keeperTerminated: {
    level: "warn",
    text: "the thread that keeps histories did not finish in time: terminated",
  },
  keeperLapped: {
    level: "warn",
    text: "broadcasts were lost on their way to a history: affected channels get phx_error",
  },
  historyFull: {
    level: "error",
    text: "no room for another topic with a history: raise historyBytes",
  },
  historyRestored: { level: "info", text: "histories restored" },
  historyNotFound: {
    level: "info",
    text: "no histories were saved by an orderly stop: all topics begin new epochs",
  },
  historyNotRestored: {
    level: "warn",
    text: "saved histories cannot be restored: their topics begin new epochs",
  },
  historySaved: { level: "info", text: "histories saved" },
  historyNotSaved: {
    level: "error",
    text: "histories could not be saved: their topics begin new epochs after the next start",
  },
  historyUnsaveable: {
    level: "error",
    text: "historyFile cannot be used: histories will not be saved, and are not restored",
  },
  connected: { level: "info", text: "CONNECTED TO" },
  refused: { level: "info", text: "REFUSED CONNECTION TO" },
  expired: { level: "info", text: "EXPIRED CONNECTION TO" },
  connectFailed: { level: "error", text: "connect threw or did not settle in time" },
  connectInvalid: { level: "error", text: "connect or id returned an invalid result" },
  originRefused: {
    level: "error",
    text: "the request's origin is not allowed: set checkOrigin, or urlHost of the endpoint",
  },
  originCheckFailed: { level: "error", text: "checkOrigin threw" },
  subprotocolRefused: { level: "error", text: "none of the client's subprotocols is supported" },
  authTokenInvalid: { level: "warn", text: "the client's auth token is not valid base64" },
  sessionFailed: { level: "error", text: "the session store threw: connect gets no session" },
  errorHandlerFailed: { level: "error", text: "errorHandler threw" },
  versionInvalid: { level: "warn", text: "the client's vsn matches no serializer" },
  joined: { level: "info", text: "JOINED" },
  joinRefused: { level: "info", text: "REFUSED JOIN" },
  joinCrashed: { level: "error", text: "join crashed" },
  handledIn: { level: "debug", text: "HANDLED INCOMING" },
  duplicateJoin: { level: "debug", text: "duplicate channel join: the old channel was closed" },
  tooManyChannels: { level: "warn", text: "too many channels joined" },
  unmatchedTopic: { level: "warn", text: "unmatched topic" },
  malformedFrame: { level: "warn", text: "malformed frame: the connection was closed" },
  transportFailed: {
    level: "error",
    text: "a custom transport threw or did not settle",
  },
  rawSocketFailed: { level: "error", text: "a raw socket failed: its connection was closed" },
  controlFailed: { level: "error", text: "handleControl threw: the connection was closed" },
  receiveFailed: { level: "error", text: "handling a message failed: its connection was closed" },
  channelCrashed: { level: "error", text: "channel crashed" },
  terminateFailed: { level: "error", text: "terminate threw" },
  noHandleInfo: { level: "warn", text: "a message was received, but there is no handleInfo" },
  floodCut: {
    level: "warn",
    text: "a client sent more than may wait while its shard was busy: connection cut",
  },
  waitingFull: {
    level: "warn",
    text: "too many bytes of a client's messages wait for joins and handlers: the connection was closed",
  },
  buffersShed: {
    level: "error",
    text: "the node held more than maxBufferBytes: those that held most were closed",
  },
  silentCut: {
    level: "error",
    text: "the process takes more memory than maxResidentBytes: connections that have completed no message for longest were cut",
  },
  unjoinedClosed: {
    level: "warn",
    text: "more connections without a channel than maxUnjoinedConnections: the oldest were closed",
  },
  slowClient: {
    level: "warn",
    text: "a client reads too slowly: connection cut (policy close) or channels ended (policy error)",
  },
  batchUnsure: {
    level: "warn",
    text: "another node did not confirm a delivery to a long-poll session: the session ends",
  },
  broadcastsMissed: { level: "info", text: "a slow client missed broadcasts of a channel" },
  rateLimited: {
    level: "warn",
    text: "rate limit exceeded (count: refusals since the last such line, at most one per 10 s)",
  },
  addressMissing: {
    level: "warn",
    text: "limits per address do not apply to a client whose address is not known: let the address function of the socket's limits return it (logged once; see the counter addressesMissing)",
  },
  socketNotFound: {
    level: "warn",
    text: "a client asked for a socket at a path that has none, and got 404: give the client the path of a mount, to which it adds /websocket or /longpoll itself (logged once; see the counter socketsNotFound)",
  },
  overloadBegin: {
    level: "warn",
    text: "shard overloaded: refusing joins and large messages, and new connections too at level withdrawn",
  },
  overloadEnd: { level: "warn", text: "shard recovered from an overload level" },
  shardWithdrawn: { level: "warn", text: "overloaded shard gets no new connections" },
  shardReturned: { level: "warn", text: "recovered shard gets new connections again" },
  noShardInRotation: {
    level: "error",
    text: "all shards are overloaded, stuck or ended: new connections get 503",
  },
  sinkFailed: { level: "error", text: "the log sink threw: its line follows" },
  linesSuppressed: {
    level: "warn",
    text: "log lines were suppressed (logLinesPerConnection, logLinesPerSecond)",
  },
  linesDropped: {
    level: "warn",
    text: "output was dropped because standard error or standard output was not read in time (logQueueBytes)",
  },
  outputFailed: {
    level: "error",
    text: "standard error or standard output cannot be written: trying again",
  },
  presenceFetchFailed: {
    level: "error",
    text: "fetch of a presence failed: the diff was sent with the tracked metas only",
  },
  presenceDispatchFailed: {
    level: "error",
    text: "dispatch of a presence threw: a diff may not have been sent",
  },
  presenceMetasFailed: { level: "error", text: "init or handleMetas of a presence threw" },
  presenceReplica: { level: "debug", text: "a presence replica came up or went down" },
  taskThreadFailed: { level: "error", text: "a thread of the task pool failed outside a task" },
  routeFailed: { level: "error", text: "a route threw or did not settle in time" },
} as const satisfies Record<string, { level: LineLevel; text: string }>;

/** Name of a log line. */
export type LogLine = keyof typeof LOG_LINES;

/** Fields of a log line that have a meaning of their own. */
interface LineFields {
  /** Number of the connection whose client caused the line. */
  readonly connection?: number;
  /** Parameters from a client, which are filtered. */
  readonly params?: unknown;
  /** Whatever was thrown. */
  readonly err?: unknown;
}

/** Settings of a Logger. */
export interface LoggerSettings {
  /** Selects client parameters that must not be logged. */
  readonly filter?: FilterParameters | undefined;
  /** Limits the number of lines; unlimited if omitted. */
  readonly limits?: ThrottleLimits;
  /** Gets a line if the sink throws. */
  readonly fallback?: LogSink;
}

/** Writes the log lines of the table. */
export class Logger {
  readonly #sink: LogSink;
  readonly #minRank: number;
  readonly #filter: LogFilter;
  readonly #throttle: Throttle | undefined;
  readonly #fallback: LogSink | undefined;

  /**
   * @param level - lowest level to write, one of LOG_LEVELS
   * @param sink - defaults to JSON on standard error, for a thread without an output queue
   */
  constructor(
    level: string,
    sink: LogSink = makeJsonSink(process.stderr),
    { filter, limits, fallback }: LoggerSettings = {},
  ) {
    this.#sink = sink;
    this.#minRank = LEVELS.indexOf(level);
    this.#filter = new LogFilter(filter);
    this.#fallback = fallback;
    this.#throttle =
      limits && new Throttle(limits, (count, lines) => this.#tellSuppressed(count, lines));
  }

  /**
   * Reports whether a line would be written. Check this before computing expensive fields.
   *
   * @param level - overrides the level from the table; false disables the line
   */
  isOn(line: LogLine, level: LineLevel | false = LOG_LINES[line].level): boolean {
    return level !== false && this.#isHighEnough(level);
  }

  #isHighEnough(level: LineLevel): boolean {
    return LEVELS.indexOf(level) >= this.#minRank;
  }

  /**
   * Writes a line; never throws. Pass whatever was thrown as `fields.err`; it is written with its
   * stack. Parameters of a client in `fields.params` are filtered. If a client causes the line, pass
   * its connection's number as `fields.connection`: the lines about a connection are limited.
   *
   * @param level - as in `isOn`
   */
  log(line: LogLine, fields: object = {}, level: LineLevel | false = LOG_LINES[line].level): void {
    const { connection } = fields as LineFields;
    if (this.takes(line, level, connection)) this.write(line, fields, level);
  }

  /**
   * Counts a line and reports whether it is to be written. For lines that a client can cause often: their fields need
   * to be computed only if this returns true, and must then be passed to `write`.
   *
   * @param level - as in `isOn`
   * @param connection - the number of the connection that the line is about
   */
  takes(line: LogLine, level: LineLevel | false, connection?: number): boolean {
    if (!this.isOn(line, level)) return false;
    return this.#isWithinLimits(line, connection);
  }

  #isWithinLimits(kind: string, connection: number | undefined): boolean {
    return this.#throttle?.takes(kind, connection, performance.now()) ?? true;
  }

  /** Writes a line that was counted by `takes`; never throws. */
  write(line: LogLine, fields: object, level: LineLevel | false): void {
    if (level !== false) this.#write(LOG_LINES[line].text, fields, level);
  }

  /**
   * Returns a sink for lines of other code, such as a custom transport. They are filtered, cut and limited like the
   * lines of the table, for each level apart.
   *
   * @param kind - what is limited together; named if lines are suppressed
   * @param common - fields of each line
   */
  sinkFor(kind: string, common: object): LogSink {
    const at = (level: LineLevel): LogSink[LineLevel] => {
      const ofLevel = `${kind} ${level}`;
      // Takes anything: plain JavaScript may pass anything, and this must not throw.
      return (given: unknown, text: unknown) => {
        if (!this.#isHighEnough(level)) return;
        const { fields, shown } = readable(given, text);
        if (!this.#isWithinLimits(ofLevel, fields.connection)) return;
        this.#write(cutText(shown), { ...fields, ...common }, level);
      };
    };
    return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  }

  /** Writes how many lines were suppressed, if any. Called before the thread ends. */
  reportSuppressed(): void {
    this.#throttle?.report();
  }

  #tellSuppressed(count: number, lines: object): void {
    const { level, text } = LOG_LINES.linesSuppressed;
    if (this.isOn("linesSuppressed")) this.#write(text, { count, lines }, level);
  }

  #write(text: string, fields: object, level: LineLevel): void {
    const safe = this.#safe(fields);
    const failed = (error: unknown): void => this.#writeToFallback(text, safe, level, error);
    try {
      // The sink of a user may be an async function. Its rejection would be logged as uncaught, and
      // rejected again.
      const result: unknown = this.#sink[level](safe, text);
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      // The caller, such as an ending channel, must still be able to finish.
      failed(error);
    }
  }

  #writeToFallback(text: string, safe: object, level: LineLevel, error: unknown): void {
    const { level: own, text: ownText } = LOG_LINES.sinkFailed;
    try {
      this.#fallback?.[own]({ err: asError(error) }, ownText);
      this.#fallback?.[level](safe, text);
    } catch {
      // There is nowhere left to report it.
    }
  }

  /** Returns fields with cut text that any sink can read without calling user code, except `err`. */
  #safe(fields: object): object {
    const safe: Record<string, unknown> = {};
    for (const name of Object.keys(fields)) {
      const value = fields[name as keyof typeof fields] as unknown;
      if (name === "params") safe[name] = this.#filter.apply(value);
      else if (name === "err") safe[name] = asError(value);
      else if (typeof value === "string") safe[name] = cutText(value);
      else if (typeof value === "number" || value === null) safe[name] = value;
      else safe[name] = boundedCopy(value);
    }
    return safe;
  }
}

const LEVELS: readonly string[] = ["debug", "info", "warn", "error", "silent"];

/**
 * Checks the level of a line in a definition: a log level, false or undefined.
 *
 * @throws SIM_ERR_DEFINITION_INVALID for any other value
 */
export function checkLogLevel(subject: string, level: unknown): void {
  if (level === undefined) return;
  checkChoice(subject, level, [...LEVELS.filter((one) => one !== "silent"), false]);
}

/** Returns what was passed for a line, or that it cannot be read. */
function readable(given: unknown, text: unknown): { fields: LineFields; shown: string } {
  try {
    const { connection, ...fields } = { ...(given as LineFields) };
    const number = typeof connection === "number" ? { connection } : undefined;
    return { fields: { ...fields, ...number }, shown: String(text) };
  } catch (err) {
    return { fields: { err }, shown: "a line that cannot be read" };
  }
}
