/**
 * The long-poll sessions of a shard, found by their numbers.
 *
 * Runs on: shard; one for each.
 */

import { randomBytes } from "node:crypto";

import type { Logger } from "../../log/logger.ts";
import { CLOSE, NO_CLOSE_FRAME } from "../../protocol/reserved.ts";
import type { ServedSocket, SocketOpener } from "../../socket/served-socket.ts";
import type { AnyIdentity } from "../../socket/identity.ts";
import { telemetry } from "../../telemetry.ts";
import type { ConnectionNumbering } from "../connection-numbering.ts";
import { Drain, type DrainCounts, type DrainPace } from "../drain.ts";
import { STATUS, type Caller } from "./caller.ts";
import { LongPollSession, type SessionEvents, type SessionKind } from "./longpoll-session.ts";
import type { TransportMeter } from "../meter.ts";
import type { SessionRequest } from "./forwarding-request.ts";
import type { Sweep } from "../sweep.ts";

/** What the sessions are made of. */
export interface SessionsParts {
  readonly sockets: SocketOpener;
  readonly numbers: ConnectionNumbering;
  readonly logger: Logger;
  readonly meter: TransportMeter;
  readonly sweep: Sweep;
  /** Says whether no shard takes connections any more; this one's own drain is known here. */
  readonly isNodeDrained: () => boolean;
}

const SECRET_BYTES = 12;

/** All sessions of a shard. */
export class LongPollSessions implements SessionEvents {
  readonly #parts: SessionsParts;
  readonly #sessions = new Map<number, LongPollSession>();
  readonly #open = new Set<LongPollSession>();
  #isDraining = false;
  readonly #restart = (session: LongPollSession): void =>
    this.#end(session, CLOSE.restart, "draining");
  readonly #drain = new Drain<LongPollSession>({
    transport: "longpoll",
    connections: this.#open,
    restart: this.#restart,
    // Nothing holds a session up: there are none that have to be cut.
    cut: this.#restart,
  });

  constructor(parts: SessionsParts) {
    this.#parts = parts;
    parts.sweep.add(() => this.#look(performance.now()));
  }

  /** Open sessions. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Opens a session for who was let in. */
  open(identity: AnyIdentity, kind: SessionKind): LongPollSession {
    const secret = randomBytes(SECRET_BYTES).toString("base64url");
    const session = new LongPollSession(this.#parts.numbers.take(), secret, kind, this);
    session.socket = this.#parts.sockets.open(session, identity);
    this.#sessions.set(session.id, session);
    this.#open.add(session);
    this.#parts.meter.opened();
    this.#parts.meter.sessions(1);
    session.socket.opened();
    return session;
  }

  /**
   * Has a session answer a request.
   *
   * @returns what to call where the request is aborted
   */
  serve(request: SessionRequest, caller: Caller): () => void {
    const session = this.#find(request);
    if (!session) {
      caller.answer(STATUS.unknown, "");
      return () => {};
    }
    if (request.kind === "poll") session.poll(caller);
    else this.#post(session, request, caller);
    return () => session.forget(caller);
  }

  /**
   * Goes through the sockets of all sessions, in the order they came.
   *
   * @yields each socket
   */
  *openSockets(): Iterable<ServedSocket> {
    for (const { socket } of this.#open) if (socket) yield socket;
  }

  /** True once sessions are ended as the shard closes: none is to be opened. */
  get isDraining(): boolean {
    return this.#isDraining || this.#parts.isNodeDrained();
  }

  /** Ends all sessions, in batches; resolves when none is left. */
  async drain(pace: DrainPace): Promise<DrainCounts> {
    // First: those who are told at once that they are to come back must not come back here.
    this.#isDraining = true;
    return this.#drain.run(pace);
  }

  /** Ends all sessions at once. */
  cutAll(): void {
    this.#isDraining = true;
    this.#drain.endAll();
  }

  received(bytes: number): void {
    this.#parts.meter.received(bytes);
  }

  sent(length: number): void {
    this.#parts.meter.sent(1, length);
  }

  slow(session: LongPollSession): void {
    const { logger, meter } = this.#parts;
    const { socket, bufferedLength: bufferedBytes } = session;
    if (!socket || socket.isEnded) return;
    meter.slowCut();
    const channels = socket.allChannels().length;
    const fields = { connection: session.id, bufferedBytes };
    const finding = { ...fields, cause: "behind", policy: "close", channels };
    logger.log("slowClient", finding);
    if (telemetry.slow_client.hasSubscribers) telemetry.slow_client.publish(finding);
    socket.end(NO_CLOSE_FRAME, { shutdown: "closed" });
  }

  unsure(session: LongPollSession): void {
    this.#parts.logger.log("batchUnsure", { connection: session.id });
    this.#end(session, NO_CLOSE_FRAME, "closed");
  }

  ended(session: LongPollSession): void {
    if (!this.#sessions.delete(session.id)) return;
    this.#open.delete(session);
    this.#drain.closed(session);
    this.#parts.meter.closed();
    this.#parts.meter.sessions(-1);
  }

  #find({ number, secret }: SessionRequest): LongPollSession | undefined {
    const session = this.#sessions.get(number);
    if (session?.secret !== secret) return undefined;
    if (!session.isInactive(performance.now())) return session;
    this.#end(session, CLOSE.idle, "inactive");
    return undefined;
  }

  #post(
    session: LongPollSession,
    request: SessionRequest & { readonly kind: "post" },
    caller: Caller,
  ): void {
    try {
      session.post(caller, request.body, request.hasLines);
    } catch (error) {
      // A fault of ours. It costs this session, and no other.
      this.#parts.logger.log("receiveFailed", { connection: session.id, err: error });
      this.#end(session, CLOSE.internalError, "closed");
      caller.answer(STATUS.late, "");
    }
  }

  #end(session: LongPollSession, code: number, reason: string): void {
    session.socket?.end(code, { shutdown: reason });
  }

  #look(nowMs: number): void {
    for (const session of this.#sessions.values()) {
      session.look(nowMs);
      if (session.isInactive(nowMs)) this.#end(session, CLOSE.idle, "inactive");
    }
  }
}
