/**
 * Serves raw sockets: runs their callbacks, one at a time for each, and ends them.
 *
 *   open --opened--> begun --stop, crash, end, closed--> ended --what waited is done--> over
 *
 * A frame whose socket is idle is handled at once; while an asynchronous callback is awaited, what
 * comes waits in the mailbox. In `ended` the connection is gone, or has been told to go; `terminate`
 * runs as it gets over. A stop and a crash leave undone what waits.
 *
 * Runs on: shard; one for all its raw sockets.
 * Full: a mailbox beyond `maxMailbox`, a callback beyond `handlerTimeoutMs`: the connection is
 *       closed with 1011, and `terminate` told why.
 */

import { AsyncCalls, ignoreOutcome, isThenable } from "../callbacks/calls.ts";
import { asError } from "../channel/channel-reports.ts";
import { expiryOf, type Until } from "../callbacks/expiry.ts";
import type { Connection } from "../channel/connection.ts";
import type { ShardContext } from "../channel/context.ts";
import { LiveCount } from "../callbacks/live-count.ts";
import { Mailbox, mailboxFull } from "../callbacks/mailbox.ts";
import { badResult, Reply, Stop, type ExitReason } from "../callbacks/results.ts";
import { kindOf, makeError } from "../errors.ts";
import type { Logger } from "../log/logger.ts";
import { CLOSE, NO_CLOSE_FRAME } from "../protocol/reserved.ts";
import { closeCodeOf, CloseWith } from "./close-with.ts";
import type { ExpiryBook, Mortal } from "./expiry-book.ts";
import { isFrame } from "./frame.ts";
import { IdListener, RawSocketEnd } from "./raw-socket.ts";
import type { RawIdentity, RawLetter, RawSocketRuntime } from "./raw-socket.ts";
import { reportDisconnected, reportExpired } from "./socket-reports.ts";

/** Who takes broadcasts for a raw socket. */
interface TopicListener {
  receive(broadcast: { readonly topic: string; readonly event: string }): void;
  missed(topic: string): void;
}

/** Where raw sockets listen to topics. PubSub is one. */
export interface Topics {
  subscribe(topic: string, listener: TopicListener): void;
  unsubscribe(topic: string, listener: TopicListener): void;
}

/** What a RawSocketServer is made of. */
export interface RawSocketServerParts {
  readonly shard: number;
  readonly context: ShardContext;
  readonly topics: Topics;
  readonly expiries: ExpiryBook<Mortal>;
  readonly logger: Logger;
  readonly maxMailbox: number;
  readonly handlerTimeoutMs: number;
}

/** Letters of one socket that are handled before others get their turn. */
const LETTERS_PER_TURN = 128;

/** The server of a shard's raw sockets. */
export class RawSocketServer implements RawSocketRuntime {
  readonly shard: number;
  readonly context: ShardContext;
  readonly #parts: RawSocketServerParts;
  readonly #calls: AsyncCalls;
  /** Sockets that are not over yet. */
  readonly #live = new LiveCount();

  constructor(parts: RawSocketServerParts) {
    this.#parts = parts;
    this.shard = parts.shard;
    this.context = parts.context;
    this.#calls = new AsyncCalls(parts.handlerTimeoutMs);
  }

  /** Takes a connection that was accepted. */
  open(connection: Connection, identity: RawIdentity): RawSocketEnd {
    const socket = new RawSocketEnd(connection, identity, this);
    this.#live.born();
    if (identity.id !== null) {
      socket.idListener = new IdListener(socket);
      this.#parts.topics.subscribe(identity.id, socket.idListener);
    }
    if (identity.expiresAtMs !== undefined) this.#parts.expiries.set(socket, identity.expiresAtMs);
    return socket;
  }

  /**
   * Waits until no socket is left: each has ended, and its `terminate` settled.
   *
   * @param limitMs - the longest time; without it, for as long as it takes
   * @returns how many are left then
   */
  async allEnded(limitMs?: number): Promise<number> {
    return this.#live.allGone(limitMs);
  }

  /** Ends what an asynchronous callback kept too long. Called from the shard's sweep. */
  checkTimeouts(nowMs: number): void {
    this.#calls.expire(nowMs);
  }

  receive(socket: RawSocketEnd, letter: RawLetter): void {
    if (socket.isEnded && letter.kind !== "close") return;
    if (socket.isRunning || socket.isBusy || socket.mailbox) {
      this.#put(socket, letter);
      return;
    }
    this.#handle(socket, letter);
    if (socket.mailbox) this.#runMailbox(socket);
  }

  end(socket: RawSocketEnd, code: number, reason: ExitReason): void {
    this.#end(socket, code, reasonOfEnd(code, reason));
  }

  closed(socket: RawSocketEnd, code: number): void {
    if (socket.isEnded) return;
    socket.isEnded = true;
    this.#ended(socket, code, code === NO_CLOSE_FRAME ? "closed" : "remote");
  }

  expiryOf(socket: RawSocketEnd): number | undefined {
    return this.#parts.expiries.get(socket);
  }

  renew(socket: RawSocketEnd, state: unknown, until: Until): boolean {
    const expiresAtMs = expiryOf(until);
    const { definition } = socket.identity.mount;
    if (!socket.isOpen || definition.id({ state }) !== socket.id) return false;
    socket.state = state;
    this.#parts.expiries.set(socket, expiresAtMs);
    return true;
  }

  expired(socket: RawSocketEnd, lateMs: number): void {
    reportExpired(socket, lateMs, socket.identity.mount.definition.log, this.#parts.logger);
    this.end(socket, CLOSE.expired, { shutdown: "expired" });
  }

  listen(socket: RawSocketEnd, topic: string): void {
    if (socket.isEnded) return;
    socket.topics ??= new Set();
    socket.topics.add(topic);
    this.#parts.topics.subscribe(topic, socket);
  }

  unlisten(socket: RawSocketEnd, topic: string): void {
    if (socket.topics?.delete(topic)) this.#parts.topics.unsubscribe(topic, socket);
  }

  // -- the mailbox -------------------------------------------------------------------------------

  #put(socket: RawSocketEnd, letter: RawLetter): void {
    if (socket.isOver) return;
    socket.mailbox ??= new Mailbox<RawLetter>(this.#parts.maxMailbox);
    if (socket.mailbox.tryPut(letter)) return;
    // The callback that fills it is on the stack, and ends its socket when it returns.
    if (socket.isRunning) socket.isOverfull = true;
    else this.#crash(socket, "mailbox", mailboxFull(this.#parts.maxMailbox));
  }

  #runMailbox(socket: RawSocketEnd): void {
    for (let count = 0; count < LETTERS_PER_TURN; count += 1) {
      if (socket.isBusy || socket.isRunning) return;
      const letter = socket.mailbox?.take();
      if (!letter) {
        socket.mailbox = undefined;
        socket.onIdle?.();
        return;
      }
      this.#handle(socket, letter);
    }
    // One that keeps sending to itself must not keep the others from their turn.
    if (!socket.isScheduled) this.#schedule(socket);
  }

  #schedule(socket: RawSocketEnd): void {
    socket.isScheduled = true;
    setImmediate(() => {
      socket.isScheduled = false;
      socket.connection.cork(() => this.#runMailbox(socket));
    });
  }

  #handle(socket: RawSocketEnd, letter: RawLetter): void {
    if (socket.isOver) return;
    const { definition } = socket.identity.mount;
    switch (letter.kind) {
      case "init":
        if (definition.init) this.#call(socket, "init", definition.init, undefined);
        break;
      case "in":
        this.#call(socket, "handleIn", definition.handleIn, letter.frame);
        break;
      case "control":
        this.#call(socket, "handleControl", definition.handleControl, letter.frame);
        break;
      case "info":
        if (definition.handleInfo) {
          this.#call(socket, "handleInfo", definition.handleInfo, letter.message);
        } else {
          const got = kindOf(letter.message);
          this.#parts.logger.log("noHandleInfo", { connection: socket.number, got });
        }
        break;
      case "expiring":
        if (definition.expiring) {
          this.#call(socket, "expiring", definition.expiring, letter.leftMs);
        }
        break;
      case "missed":
        this.#missed(socket, letter.topic);
        break;
      case "close":
        this.#terminate(socket, letter.reason);
        break;
    }
  }

  #missed(socket: RawSocketEnd, topic: string): void {
    const { missed } = socket.identity.mount.definition;
    if (missed) {
      this.#call(socket, "missed", missed, topic);
      return;
    }
    const message = `broadcasts of ${JSON.stringify(topic)} were lost between threads`;
    this.#crash(socket, "missed", makeError("SIM_ERR_LAPPED", message));
  }

  // -- callbacks ---------------------------------------------------------------------------------

  #call<Argument>(
    socket: RawSocketEnd,
    name: string,
    callback: ((socket: object, argument: Argument) => unknown) | undefined,
    argument: Argument,
  ): void {
    socket.isRunning = true;
    let result: unknown;
    try {
      result = callback?.(socket, argument);
    } catch (error) {
      socket.isRunning = false;
      this.#crash(socket, name, error);
      return;
    }
    socket.isRunning = false;
    if (socket.isOverfull) {
      ignoreOutcome(result);
      this.#crash(socket, name, mailboxFull(this.#parts.maxMailbox));
    } else if (isThenable(result)) {
      this.#await(socket, name, result);
    } else {
      this.#finish(socket, name, result);
    }
  }

  #await(socket: RawSocketEnd, name: string, promise: PromiseLike<unknown>): void {
    const settled = (value: unknown): void => {
      socket.connection.cork(() => {
        this.#finish(socket, name, value);
        this.#runMailbox(socket);
      });
    };
    this.#calls.await(socket, promise, settled, (error) => this.#crash(socket, name, error));
  }

  #finish(socket: RawSocketEnd, name: string, result: unknown): void {
    if (result === undefined || socket.isEnded) return;
    const isAnswered = result instanceof Stop && result.reply !== undefined;
    const answer = isAnswered ? result.reply : result;
    if (answer instanceof Reply && mayReply(name) && isFrame(answer.payload)) {
      socket.push(answer.payload);
    } else if (!isEnd(answer)) {
      const replies = mayReply(name) ? "reply(status, frame), " : "";
      const allowed = `nothing, ${replies}stop(reason) or closeWith(code, text?)`;
      this.#crash(socket, name, badResult(name, allowed, result));
      return;
    }
    if (result instanceof CloseWith) this.#stop(socket, result);
    else if (result instanceof Stop) this.#stop(socket, closeOf(result));
  }

  // -- ends --------------------------------------------------------------------------------------

  #stop(socket: RawSocketEnd, { code, text, reason }: CloseWith): void {
    socket.isEnded = true;
    socket.mailbox = undefined;
    const close = (): void => {
      socket.connection.close(code, text);
      this.#ended(socket, code, reason);
    };
    // If a request brought the frame, it is answered as handled before the end is known.
    if (socket.connection.native) close();
    else setImmediate(close);
  }

  // Leaves undone what waits.
  #crash(socket: RawSocketEnd, callback: string, error: unknown): void {
    if (socket.isOver) return;
    const err = asError(error);
    const fields = { connection: socket.number, path: socket.path, callback, err };
    this.#parts.logger.log("rawSocketFailed", fields);
    this.#calls.forget(socket);
    socket.mailbox = undefined;
    if (socket.isEnded) this.#terminate(socket, err);
    else this.#end(socket, CLOSE.internalError, err);
  }

  #end(socket: RawSocketEnd, code: number, reason: ExitReason): void {
    if (socket.isEnded) return;
    // First: the transport calls `closed` from within `close`, and would give another reason.
    socket.isEnded = true;
    socket.connection.close(code, "");
    this.#ended(socket, code, reason);
  }

  #ended(socket: RawSocketEnd, code: number, reason: ExitReason): void {
    const { idListener, topics } = socket;
    if (socket.id !== null && idListener) this.#parts.topics.unsubscribe(socket.id, idListener);
    for (const topic of topics ?? []) this.#parts.topics.unsubscribe(topic, socket);
    socket.topics = undefined;
    this.#parts.expiries.forget(socket);
    reportDisconnected(socket, code);
    this.receive(socket, { kind: "close", reason });
  }

  #terminate(socket: RawSocketEnd, reason: ExitReason): void {
    if (socket.isOver) return;
    socket.isOver = true;
    socket.mailbox = undefined;
    for (const timer of socket.timers ?? []) clearTimeout(timer);
    socket.timers = undefined;
    const { terminate } = socket.identity.mount.definition;
    const done = (): void => this.#live.gone();
    const failed = (error: unknown): void => {
      this.#parts.logger.log("terminateFailed", { connection: socket.number, err: asError(error) });
      done();
    };
    let result: unknown;
    try {
      result = socket.hasBegun ? terminate?.(socket, reason) : undefined;
    } catch (error) {
      failed(error);
      return;
    }
    if (isThenable(result)) this.#calls.await(socket, result, done, failed);
    else done();
  }
}

function isEnd(result: unknown): boolean {
  return result instanceof Stop || result instanceof CloseWith;
}

function closeOf({ reason }: Stop): CloseWith {
  return new CloseWith(closeCodeOf(reason), "", reason);
}

function mayReply(callback: string): boolean {
  return callback === "handleIn" || callback === "handleControl";
}

/** Gives what `terminate` is told where a transport, or the shard, ends a connection (WIRE §4.5). */
function reasonOfEnd(code: number, reason: ExitReason): ExitReason {
  if (typeof reason !== "object" || !("shutdown" in reason)) return reason;
  if (reason.shutdown === "draining") return "shutdown";
  if (reason.shutdown !== "closed") return reason;
  switch (code) {
    case CLOSE.idle:
      return "timeout";
    case CLOSE.tooLarge:
      return makeError("SIM_ERR_FRAME_TOO_LARGE", "a frame must fit into maxFrameBytes");
    case NO_CLOSE_FRAME:
      return "closed";
    default:
      return reason;
  }
}
