/**
 * The long-poll sessions of a shard, by number.
 *
 * Runs on: shard; one instance per shard.
 */

import { randomBytes } from "node:crypto";

import { COUNTER } from "../../memory/counters-layout.ts";
import { CLOSE } from "../../protocol/reserved.ts";
import type { AnyIdentity } from "../../socket/identity.ts";
import { ConnectionSet } from "../connection-set.ts";
import type { TransportShard } from "../transport.ts";
import { LongPollSession, type LongPollKind } from "./longpoll-session.ts";
import { STATUS, type Caller, type LongPollRequest } from "./request.ts";

const SECRET_BYTES = 12;

/** All sessions of a shard. */
export class LongPollSessions extends ConnectionSet<LongPollSession> {
  readonly #shard: Pick<TransportShard, "counters" | "sockets">;
  readonly #byNumber = new Map<number, LongPollSession>();

  constructor(shard: TransportShard) {
    super("longpoll", shard);
    this.#shard = shard;
    shard.sweep.add(() => this.#check(performance.now()));
  }

  /** Opens a session for a client that `connect` accepted. */
  open(identity: AnyIdentity, kind: LongPollKind): LongPollSession {
    const secret = randomBytes(SECRET_BYTES).toString("base64url");
    const session = new LongPollSession(this.takeNumber(), secret, kind);
    session.socket = this.#shard.sockets.open(session, identity);
    this.#byNumber.set(session.id, session);
    this.add(session);
    this.#shard.counters.add(COUNTER.sessions, 1);
    session.socket.opened();
    return session;
  }

  override remove(session: LongPollSession): void {
    this.#byNumber.delete(session.id);
    this.#shard.counters.add(COUNTER.sessions, -1);
    super.remove(session);
  }

  /**
   * Passes a request to its session, which answers it.
   *
   * @returns a function to call if the request is aborted
   */
  serve(request: LongPollRequest, caller: Caller): () => void {
    const session = this.#find(request);
    if (!session) {
      caller.answer(STATUS.unknown, "");
      return () => {};
    }
    if (request.kind === "poll") session.poll(caller);
    else this.#post(session, request, caller);
    return () => session.forget(caller);
  }

  #find({ number, secret }: LongPollRequest): LongPollSession | undefined {
    const session = this.#byNumber.get(number);
    if (session?.secret !== secret) return undefined;
    if (!session.isInactive(performance.now())) return session;
    endInactive(session);
    return undefined;
  }

  #post(
    session: LongPollSession,
    request: LongPollRequest & { readonly kind: "post" },
    caller: Caller,
  ): void {
    try {
      session.post(caller, request.body, request.hasLines);
    } catch (error) {
      // A bug in Simurgh. It must end this session only.
      this.logger.log("receiveFailed", { connection: session.id, err: error });
      session.socket?.end(CLOSE.internalError, { shutdown: "closed" });
      caller.answer(STATUS.late, "");
    }
  }

  #check(nowMs: number): void {
    for (const session of this) {
      session.check(nowMs);
      if (session.isInactive(nowMs)) endInactive(session);
    }
  }
}

function endInactive({ socket }: LongPollSession): void {
  socket?.end(CLOSE.idle, { shutdown: "inactive" });
}
