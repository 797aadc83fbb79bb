/**
 * One connection's raw socket, whose frames are handled by the user's callbacks.
 *
 *   open --opened--> begun --stop, crash, end, closed--> ended --all that waited is handled--> over
 *
 * A frame for an idle socket is handled at once; while an asynchronous callback is awaited, frames
 * wait in the mailbox. In `ended` the connection is gone or is being closed; `terminate` runs when
 * the socket is over. A stop or a crash drops everything that is waiting.
 *
 * User callbacks get the socket itself. Its type there is RawSocketHandle, the public part.
 *
 * Runs on: the shard that owns the connection.
 * Owns: mailbox, timers and topics, each created when it is first needed. Methods are `private` for
 *       the compiler only, since a #method adds a field to each object.
 * Full: if the mailbox exceeds `maxMailbox`, or a callback exceeds `handlerTimeoutMs`, the
 *       connection is closed with 1011, and `terminate` receives the error.
 */

import { FAILED, type Callee } from "../callbacks/callbacks.ts";
import { expiryOf, type Until } from "../callbacks/expiry.ts";
import type { Mailbox } from "../callbacks/mailbox.ts";
import { isThenable } from "../callbacks/promises.ts";
import { badResult, Reply, Stop, type ExitReason } from "../callbacks/results.ts";
import { callLater, clearTimers, type TimerOwner } from "../callbacks/timers.ts";
import { causeOf } from "../channel/channel-reports.ts";
import type { Connection } from "../channel/connection.ts";
import type { ShardContext } from "../channel/context.ts";
import { missedError } from "../channel/raw-channel.ts";
import type { RoutedChannel } from "../channel/routed-channel.ts";
import { kindOf, makeError } from "../errors.ts";
import { CLOSE, EVENT, NO_CLOSE_FRAME } from "../protocol/reserved.ts";
import type { Listener } from "../pubsub/registry.ts";
import { closeCodeOf, CloseWith } from "./close-with.ts";
import type { SlowClientPolicy } from "./definition.ts";
import type { Expirable } from "./expiry-book.ts";
import { isFrame, sendFrame } from "./frame.ts";
import type { ControlFrame, ControlOpcode, DataFrame, OutgoingFrame } from "./frame.ts";
import type { RawIdentity } from "./identity.ts";
import type { RawSocketDefinition, RawSocketHandle } from "./raw-definition.ts";
import type { ServedSocket } from "./served-socket.ts";
import type { ShardSockets } from "./shard-sockets.ts";
import { reportDisconnected, reportExpired } from "./socket-reports.ts";

/** A letter in a raw socket's mailbox. */
export type RawSocketLetter =
  | { readonly kind: "init" }
  | { readonly kind: "in"; readonly frame: DataFrame; readonly bytes: number }
  | { readonly kind: "control"; readonly frame: ControlFrame; readonly bytes: number }
  | { readonly kind: "info"; readonly message: unknown; readonly bytes: number }
  | { readonly kind: "missed"; readonly topic: string }
  | { readonly kind: "expiring"; readonly leftMs: number }
  | { readonly kind: "close"; readonly reason: ExitReason };

const NO_CHANNELS: readonly RoutedChannel[] = [];

/** A raw socket. */
export class RawSocket
  implements
    RawSocketHandle,
    ServedSocket,
    Listener,
    Callee<RawSocketLetter>,
    TimerOwner,
    Expirable
{
  state: unknown;
  readonly connection: Connection;
  readonly identity: RawIdentity;
  readonly shared: ShardSockets;
  /** True once `opened` was called: `init` is running or pending, and `terminate` will run. */
  hasBegun = false;
  isEnded = false;
  /** True once `terminate` runs: nothing more is handled. */
  isOver = false;
  isRunning = false;
  isBusy = false;
  busySince = 0;
  run = 0;
  isScheduled = false;
  isOverfull = false;
  mailbox: Mailbox<RawSocketLetter> | undefined = undefined;
  idListener: IdListener | undefined = undefined;
  timers: Set<NodeJS.Timeout> | undefined = undefined;
  /** Topics that the socket has subscribed to. */
  topics: Set<string> | undefined = undefined;
  onIdle: (() => void) | undefined = undefined;

  constructor(shared: ShardSockets, connection: Connection, identity: RawIdentity) {
    this.state = identity.state;
    this.connection = connection;
    this.identity = identity;
    this.shared = shared;
    const { channels, expiries } = shared;
    channels.callbacks.live.born();
    if (identity.id !== null) {
      this.idListener = new IdListener(this);
      channels.pubsub.subscribe(identity.id, this.idListener);
    }
    if (identity.expiresAtMs !== undefined) expiries.set(this, identity.expiresAtMs);
  }

  // -- RawSocketHandle: for the user's callbacks -------------------------------------------------

  get id(): string | null {
    return this.identity.id;
  }

  get number(): number {
    return this.connection.id;
  }

  get transport(): string {
    return this.connection.transport;
  }

  get shard(): number {
    return this.shared.channels.shard;
  }

  get context(): ShardContext {
    return this.shared.channels.context;
  }

  get isOpen(): boolean {
    return !this.isEnded && this.connection.isOpen;
  }

  get hasRoom(): boolean {
    return this.isOpen && this.connection.hasRoom;
  }

  get expiresAtMs(): number | undefined {
    return this.shared.expiries.get(this);
  }

  renew(state: unknown, until: Until): boolean {
    const expiresAtMs = expiryOf(until);
    if (!this.isOpen || this.definition.id({ state }) !== this.id) return false;
    this.state = state;
    this.shared.expiries.set(this, expiresAtMs);
    return true;
  }

  push(frame: OutgoingFrame): void {
    if (!this.isEnded) sendFrame(this.connection, frame);
  }

  send(message: unknown): void {
    this.handleLater({ kind: "info", message, bytes: 0 });
  }

  sendAfter(delayMs: number, message: unknown): () => void {
    return callLater(this, delayMs, () => this.send(message));
  }

  subscribe(topic: string): void {
    if (this.isEnded) return;
    this.topics ??= new Set();
    this.topics.add(topic);
    this.shared.channels.pubsub.subscribe(topic, this);
  }

  unsubscribe(topic: string): void {
    if (this.topics?.delete(topic)) this.shared.channels.pubsub.unsubscribe(topic, this);
  }

  // -- ServedSocket: for the transport -----------------------------------------------------------

  /** The name of the socket where notes and log lines about callbacks have the topic of a channel. */
  get topic(): string {
    return this.path;
  }

  get path(): string {
    return this.identity.mount.path;
  }

  /** Always `close`, because there are no channels that could end instead. */
  get slowClients(): SlowClientPolicy {
    return "close";
  }

  get isSerial(): boolean {
    return true;
  }

  get isHeldUp(): boolean {
    return this.isBusy || this.mailbox !== undefined;
  }

  get hasJoined(): boolean {
    return true;
  }

  get hasHeldBroadcasts(): boolean {
    return false;
  }

  /** What its code still does with a message, only that code knows. */
  isHandling(): boolean {
    return false;
  }

  allChannels(): readonly RoutedChannel[] {
    return NO_CHANNELS;
  }

  opened(): void {
    this.hasBegun = true;
    this.handleLater({ kind: "init" });
  }

  receiveText(data: string): void {
    this.handleLater({ kind: "in", frame: { opcode: "text", data }, bytes: data.length });
  }

  receiveBytes(data: Uint8Array): void {
    const frame = { opcode: "binary", data: new Uint8Array(data) } as const;
    this.handleLater({ kind: "in", frame, bytes: data.length });
  }

  receiveControl(opcode: ControlOpcode, data: Uint8Array): void {
    if (!this.definition.handleControl) return;
    const frame = { opcode, data: new Uint8Array(data) };
    this.handleLater({ kind: "control", frame, bytes: data.length });
  }

  end(code: number, reason: ExitReason): void {
    this.endWith(code, reasonOfEnd(code, reason));
  }

  closed(code: number): void {
    if (this.isEnded) return;
    this.isEnded = true;
    const reason = code === NO_CLOSE_FRAME ? "closed" : "remote";
    this.shared.endings.run(undefined, () => this.ended(code, reason));
  }

  tooSlow(): number {
    return 0;
  }

  // -- Listener: for the topics that it has subscribed to ----------------------------------------

  receive(broadcast: { readonly topic: string; readonly event: string }, bytes: number): void {
    this.handleLater({ kind: "info", message: broadcast, bytes });
  }

  missed(topic: string): void {
    if (!this.isEnded) this.shared.channels.callbacks.tell(this, { kind: "missed", topic });
  }

  // -- Expirable: for the book of expiries -------------------------------------------------------

  get expiringMs(): number {
    return this.definition.expiringMs;
  }

  expiring(leftMs: number): void {
    this.handleLater({ kind: "expiring", leftMs });
  }

  expired(lateMs: number): void {
    reportExpired(this, lateMs, this.definition.log, this.shared.logger);
    this.end(CLOSE.expired, { shutdown: "expired" });
  }

  // -- Callee: for the runner of callbacks -------------------------------------------------------

  get owner(): this {
    return this;
  }

  get takesAtOnce(): boolean {
    return true;
  }

  get isWaiting(): boolean {
    return false;
  }

  get takesLetters(): boolean {
    return !this.isOver;
  }

  cork(work: () => void): void {
    this.connection.cork(work);
  }

  emptied(): void {
    this.onIdle?.();
  }

  waitTooMuch(): void {
    this.shared.logger.log("waitingFull", { connection: this.number });
    this.dropWaiting();
    this.end(CLOSE.policyViolation, { shutdown: "closed" });
  }

  dropWaiting(): void {
    this.shared.channels.callbacks.dropWaiting(this);
  }

  failed(event: unknown, error: unknown): void {
    this.crash(typeof event === "string" ? event : "mailbox", error);
  }

  handle(letter: RawSocketLetter): void {
    if (this.isOver) return;
    const { definition } = this;
    switch (letter.kind) {
      case "init":
        this.call("init", definition.init, undefined);
        break;
      case "in":
        this.call("handleIn", definition.handleIn, letter.frame);
        break;
      case "control":
        this.call("handleControl", definition.handleControl, letter.frame);
        break;
      case "info":
        if (definition.handleInfo) this.call("handleInfo", definition.handleInfo, letter.message);
        else {
          const got = kindOf(letter.message);
          this.shared.logger.log("noHandleInfo", { connection: this.number, got });
        }
        break;
      case "expiring":
        this.call("expiring", definition.expiring, letter.leftMs);
        break;
      case "missed":
        if (definition.missed) this.call("missed", definition.missed, letter.topic);
        else this.crash("missed", missedError(letter.topic));
        break;
      case "close":
        this.terminate(letter.reason);
        break;
    }
  }

  // -- callbacks ---------------------------------------------------------------------------------

  private get definition(): RawSocketDefinition {
    return this.identity.mount.definition;
  }

  private handleLater(letter: RawSocketLetter): void {
    if (!this.isEnded) this.shared.channels.callbacks.receive(this, letter);
  }

  private call<Argument>(
    name: string,
    callback: ((socket: object, argument: Argument) => unknown) | undefined,
    argument: Argument,
  ): void {
    if (!callback) return;
    const { callbacks } = this.shared.channels;
    const result = callbacks.run(this, name, callback, argument);
    if (result === FAILED) return;
    if (!isThenable(result)) {
      this.finish(name, result);
      return;
    }
    const settled = (value: unknown): void => {
      this.finish(name, value);
      if (this.mailbox) callbacks.flush(this);
      else this.emptied();
    };
    callbacks.await(this, result, settled, (error) => this.crash(name, error));
  }

  private finish(name: string, result: unknown): void {
    if (result === undefined || this.isEnded) return;
    let ending: CloseWith | undefined;
    try {
      ending = this.answer(name, result);
    } catch (error) {
      this.crash(name, error);
      return;
    }
    if (ending) this.stop(ending);
  }

  /**
   * Sends the frame in a result, if there is one.
   *
   * @returns how the socket must be closed; undefined if it stays open
   * @throws SIM_ERR_BAD_RESULT, or what a Proxy throws when it is read
   */
  private answer(name: string, result: unknown): CloseWith | undefined {
    const ending = endingOf(result);
    let answer = result;
    if (ending) answer = result instanceof Stop ? result.reply : undefined;
    if (ending && answer === undefined) return ending;
    const frame = answer instanceof Reply ? answer.payload : undefined;
    if (!mayReply(name) || !isFrame(frame)) throw badReturn(name, result);
    this.push(frame);
    return ending;
  }

  // -- ends --------------------------------------------------------------------------------------

  private stop({ code, text, reason }: CloseWith): void {
    this.isEnded = true;
    this.shared.channels.callbacks.dropMailbox(this);
    const close = (): void => {
      this.shared.endings.run(
        () => this.connection.close(code, text),
        () => this.ended(code, reason),
      );
    };
    // If the frame came in an HTTP request, the request is answered before the connection is
    // closed.
    if (this.connection.native) close();
    else setImmediate(close);
  }

  /** Ends the socket after an error, and drops everything that is waiting. */
  private crash(callback: string, error: unknown): void {
    if (this.isOver) return;
    const err = causeOf(error);
    const fields = { connection: this.number, path: this.path, callback, err };
    this.shared.logger.log("rawSocketFailed", fields);
    this.shared.channels.callbacks.forget(this);
    this.shared.channels.callbacks.dropMailbox(this);
    if (this.isEnded) this.terminate(err);
    else this.endWith(CLOSE.internalError, err);
  }

  private endWith(code: number, reason: ExitReason): void {
    if (this.isEnded) return;
    // Set first, because the transport calls `closed` from within `close`, with another reason.
    this.isEnded = true;
    this.shared.endings.run(
      () => this.connection.close(code, ""),
      () => this.ended(code, reason),
    );
  }

  private ended(code: number, reason: ExitReason): void {
    const { channels, expiries } = this.shared;
    const { callbacks, pubsub } = channels;
    if (this.id !== null && this.idListener) pubsub.unsubscribe(this.id, this.idListener);
    for (const topic of this.topics ?? []) pubsub.unsubscribe(topic, this);
    this.topics = undefined;
    expiries.forget(this);
    reportDisconnected(this, code);
    callbacks.tell(this, { kind: "close", reason });
  }

  private terminate(reason: ExitReason): void {
    if (this.isOver) return;
    this.isOver = true;
    const { channels, logger } = this.shared;
    channels.callbacks.dropMailbox(this);
    clearTimers(this);
    const { callbacks } = channels;
    const callback = this.hasBegun ? this.definition.terminate : undefined;
    const done = (): void => callbacks.live.gone();
    const failed = (error: unknown): void => {
      logger.log("terminateFailed", { connection: this.number, err: causeOf(error) });
      done();
    };
    callbacks.terminate(this, callback, reason, done, failed);
  }
}

/** The listener to the topic of a raw socket's id. User code may subscribe to that topic as well. */
export class IdListener {
  readonly #socket: ServedSocket;

  constructor(socket: ServedSocket) {
    this.#socket = socket;
  }

  get isOfId(): boolean {
    return true;
  }

  /** Only one event has a meaning on the topic of an id. */
  receive({ event }: { readonly event: string }): void {
    if (event === EVENT.disconnect) this.#disconnect();
  }

  /** A lost broadcast may have been a ban, so the client must connect again. */
  missed(): void {
    this.#disconnect();
  }

  #disconnect(): void {
    this.#socket.end(CLOSE.goingAway, { shutdown: "disconnected" });
  }
}

/** Returns how a result closes the socket; undefined if it does not. */
function endingOf(result: unknown): CloseWith | undefined {
  if (result instanceof CloseWith) return new CloseWith(result.code, result.text, result.reason);
  if (!(result instanceof Stop)) return undefined;
  const { reason } = result;
  return new CloseWith(closeCodeOf(reason), "", reason);
}

function badReturn(name: string, got: unknown): Error {
  const replies = mayReply(name) ? "reply(status, frame), " : "";
  return badResult(name, `nothing, ${replies}stop(reason) or closeWith(code, text?)`, got);
}

function mayReply(callback: string): boolean {
  return callback === "handleIn" || callback === "handleControl";
}

/**
 * Returns the reason for `terminate` when a transport or the shard ends a connection.
 */
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
