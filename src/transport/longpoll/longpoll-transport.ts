/**
 * The long-poll transport: serves sockets to clients that poll by HTTP requests.
 *
 *   GET      a poll, or a new session if there is none
 *   POST     messages for a session
 *   OPTIONS  a CORS preflight
 *
 *   parameters -> origin -> method -> token -> the session, here or on another shard or node
 *
 * Runs on: shard; one instance per shard. A session stays where it was opened, but its requests may
 *          reach any shard.
 * Full: if a request cannot be forwarded for lack of room, it is answered with 503.
 */

import type { BufferVisit } from "../../held-bytes.ts";
import type { AddressPlace } from "../../limits/address-places.ts";
import { COUNTER } from "../../memory/counters-layout.ts";
import type { Decision } from "../../socket/connect.ts";
import type { Params } from "../../socket/connect-request.ts";
import type { ServedSocket } from "../../socket/served-socket.ts";
import type { DrainCounts, DrainPace } from "../drain.ts";
import type { ForwardingCaller } from "../forwarding/answer.ts";
import { Forwarding } from "../forwarding/forwarding.ts";
import type { ForwardingPort, ShardAddress } from "../forwarding/forwarding-port.ts";
import { SERVICE } from "../forwarding/forwarding-record.ts";
import { isSameShard } from "../forwarding/forwarding-sender.ts";
import { AUTH_TOKEN_HEADER } from "../handshake/auth-token.ts";
import { handshakePolicyOf } from "../handshake/handshake-options.ts";
import { Handshake } from "../handshake/handshake.ts";
import { headerOf, headersOf, type RequestHead } from "../http/request-head.ts";
import type { ServedMount, Transport, TransportShard } from "../transport.ts";
import { isNdjson } from "./body.ts";
import {
  longpollOptionsOf,
  longpollPathOf,
  type LongPollMountOptions,
} from "./longpoll-options.ts";
import type { LongPollKind } from "./longpoll-session.ts";
import { LongPollSessions } from "./longpoll-sessions.ts";
import {
  LONGPOLL_TOKEN_HEADER,
  LONGPOLL_TOKEN_PARAM,
  LongPollTokens,
  type LongPollPlace,
} from "./longpoll-token.ts";
import {
  packRequest,
  STATUS,
  unpackRequest,
  type Caller,
  type LongPollRequest,
} from "./request.ts";
import { LongPollResponse } from "./response.ts";

/** State shared by the requests of a mount. */
interface Mount {
  readonly handshake: Handshake;
  readonly tokens: LongPollTokens;
  readonly kind: LongPollKind;
  /** Time for another shard to find a session. */
  readonly pubsubTimeoutMs: number;
}

/** A request that is being handled. */
interface Request {
  readonly mount: Mount;
  readonly head: RequestHead;
  readonly params: Params;
  readonly response: LongPollResponse;
  /** The token as sent by the client, unchecked. */
  readonly token: unknown;
  /** The session's place, if the token is valid. */
  readonly place: LongPollPlace | undefined;
}

const REQUESTED_HEADERS = "access-control-request-headers";
const CONTENT_TYPE = "content-type";
const HEADERS = [CONTENT_TYPE, REQUESTED_HEADERS, LONGPOLL_TOKEN_HEADER];
const NO_MESSAGES = "[]";
/** After these statuses a client has no session here. */
const ENDS: ReadonlySet<number> = new Set([STATUS.gone, STATUS.busy]);

/** The long-poll sessions of a shard, and requests for sessions on other shards. */
export class LongPollTransport implements Transport {
  readonly #shard: TransportShard;
  readonly #port: ForwardingPort;
  readonly #sessions: LongPollSessions;
  readonly #forwarding: Forwarding;
  /** Whether clients with sessions on other shards are still served here during a drain. */
  #staysHere = true;
  readonly #isLast = (status: number): boolean =>
    this.#sessions.isDraining && (!this.#staysHere || ENDS.has(status));

  constructor(shard: TransportShard, port: ForwardingPort) {
    this.#shard = shard;
    this.#port = port;
    this.#sessions = new LongPollSessions(shard);
    this.#forwarding = new Forwarding(
      port,
      SERVICE.longpoll,
      (request, caller) => this.#sessions.serve(unpackRequest(request), sessionCaller(caller)),
      shard.options.longpollTimeoutMs,
    );
    shard.sweep.add(() => this.#forwarding.check(performance.now()));
  }

  mount({ mount, options, endpoint }: ServedMount): void {
    const given = longpollOptionsOf(options);
    if (!given) return;
    const policy = handshakePolicyOf(mount.path, endpoint, options, given);
    const handshake = new Handshake(mount, policy, "longpoll", this.#shard);
    this.#serve(longpollPathOf(mount.path, given), handshake, given);
  }

  sockets(): Iterable<ServedSocket> {
    return this.#sessions.sockets();
  }

  get size(): number {
    return this.#sessions.size;
  }

  get maxHeldBytes(): number {
    return this.#sessions.maxHeldBytes + this.#forwarding.heldBytes;
  }

  visitHeld(visit: BufferVisit): void {
    this.#sessions.visitHeld(visit);
    this.#forwarding.visitHeld(visit);
  }

  /**
   * Ends all sessions in batches, and opens no new ones. Clients that poll are answered, and
   * reconnect.
   *
   * Clients of sessions on other shards are also told to connect to another shard. But if the whole
   * node drains, no other shard accepts them, and they are served here until their sessions end.
   */
  async drain(pace: DrainPace): Promise<DrainCounts> {
    this.#staysHere = pace.isOfNode;
    if (!pace.isOfNode) this.#forwarding.giveUpAll();
    return this.#sessions.drain(pace);
  }

  finish(): void {
    this.#staysHere = false;
    this.#forwarding.giveUpAll();
  }

  recover(): void {
    this.#sessions.recover();
  }

  cut(): void {
    this.#sessions.cut();
    this.#forwarding.giveUpAll();
  }

  memberGone(member: number): void {
    this.#forwarding.memberGone(member);
  }

  /** Handles a record for a request that another shard forwards or answers. */
  receive(from: ShardAddress, record: Uint8Array): void {
    this.#forwarding.receive(from, record);
  }

  #serve(path: string, handshake: Handshake, given: LongPollMountOptions): void {
    const { router, options } = this.#shard;
    const { windowMs = options.longpollWindowMs, maxAgeMs = options.longpollMaxAgeMs } = given;
    const { pubsubTimeoutMs = options.longpollTimeoutMs } = given;
    const { hasAuthToken } = handshake.policy;
    const wants = handshake.wants(hasAuthToken ? [...HEADERS, AUTH_TOKEN_HEADER] : HEADERS);
    const mount: Mount = {
      handshake,
      tokens: new LongPollTokens(options.secretKeyBase, path, maxAgeMs, given.crypto),
      kind: {
        sessions: this.#sessions,
        windowMs,
        maxWaitingBytes: options.maxWaitingBytes,
        maxUnjoinedFrameBytes: options.maxUnjoinedFrameBytes,
        turn: this.#shard.turn,
      },
      pubsubTimeoutMs,
    };
    router.addSocketPath(path);
    router.serve("any", path, wants, (response, head, body) => {
      const answer = new LongPollResponse(response, head, body, this.#isLast, this.#shard);
      this.#take(mount, head, answer);
    });
  }

  #take(mount: Mount, head: RequestHead, response: LongPollResponse): void {
    const { handshake, tokens } = mount;
    const params = handshake.tryParams(head);
    if (!params) {
      response.fail(400);
      return;
    }
    const verdict = handshake.checkOrigin(head);
    if (verdict === "failed") response.fail(500);
    else if (verdict === "refused") response.status(403);
    else if (head.method === "OPTIONS")
      response.preflight(headersOf(head, REQUESTED_HEADERS).join(", "));
    else if (head.method !== "GET" && head.method !== "POST") response.badMethod();
    else {
      const token = headerOf(head, LONGPOLL_TOKEN_HEADER) ?? params[LONGPOLL_TOKEN_PARAM];
      const place = tokens.tryRead(token);
      const request = { mount, head, params, response, token, place };
      if (head.method === "GET") this.#get(request);
      else this.#post(request);
    }
  }

  #get(request: Request): void {
    const { response, place, token } = request;
    if (!place) {
      this.#connect(request);
      return;
    }
    const { number, secret } = place;
    this.#ask(request, place, { kind: "poll", number, secret }, (status, messages, settled) => {
      if (status === STATUS.unknown) this.#connect(request);
      else if (status === STATUS.busy) response.unavailable();
      else {
        response.batch(status, String(token), messages || NO_MESSAGES, settled);
      }
    });
  }

  #post(request: Request): void {
    const { response, head, place } = request;
    if (!place) {
      response.status(STATUS.gone);
      return;
    }
    const hasLines = isNdjson(headerOf(head, CONTENT_TYPE));
    response.readBody((body) => {
      if (!body) {
        response.fail(400);
        return;
      }
      const { number, secret } = place;
      const post = { kind: "post", number, secret, body, hasLines } as const;
      this.#ask(request, place, post, (status) => {
        if (status === STATUS.busy) response.unavailable();
        else if (status === STATUS.badLine) response.fail(status);
        else response.status(status === STATUS.unknown ? STATUS.gone : status);
      });
    });
  }

  /** Passes a request to its session, wherever it is. */
  #ask(
    { mount, response }: Request,
    place: LongPollPlace,
    request: LongPollRequest,
    answer: Caller["answer"],
  ): void {
    const caller = { answer };
    if (!this.#mayExist(place)) {
      answer(STATUS.unknown, "");
      return;
    }
    if (isSameShard(place, this.#port.address)) {
      const forget = this.#sessions.serve(request, caller);
      if (response.isOpen) response.onAborted = forget;
      return;
    }
    const { pubsubTimeoutMs, kind } = mount;
    const answerMs = kind.windowMs * 2 + pubsubTimeoutMs;
    const lateStatus = request.kind === "poll" ? STATUS.none : STATUS.late;
    const limits = { confirmMs: pubsubTimeoutMs, answerMs, lateStatus };
    const bytes = packRequest(request);
    const asker = forwardingCaller(answer);
    const cancel = this.#forwarding.tryForward(place, place.generation, bytes, asker, limits);
    this.#shard.counters.add(COUNTER.requestsForwarded);
    if (!cancel) answer(STATUS.busy, "");
    else if (response.isOpen) response.onAborted = cancel;
  }

  /** Returns false if the session's thread is known to have ended, or its node cannot be reached. */
  #mayExist({ node, member, generation }: LongPollPlace): boolean {
    if (node !== this.#port.address.node) return this.#port.reaches(node);
    return this.#port.generationOf(member) === generation;
  }

  #connect(request: Request): void {
    const { mount, head, params, response } = request;
    if (this.#sessions.isDraining) {
      response.unavailable();
      return;
    }
    const { handshake } = mount;
    const { hasAuthToken } = handshake.policy;
    const authToken = hasAuthToken ? (headerOf(head, AUTH_TOKEN_HEADER) ?? null) : null;
    const pauseMs = handshake.pauseMs(head);
    if (pauseMs > 0) {
      this.#shard.counters.add(COUNTER.floodPaused);
      response.limited(pauseMs);
      return;
    }
    const { places } = this.#shard;
    const place = places?.tryTake(head.peerAddress);
    if (places && !place) {
      response.addressFull();
      return;
    }
    const open = (decision: Decision): void => {
      if (!this.#tryOpen(request, decision, place) && place) places?.release(place);
    };
    const decision = handshake.decide(head, params, authToken);
    if (decision instanceof Promise) void decision.then(open);
    else open(decision);
  }

  /** Opens a session. @returns false if there is none: the client was refused, or is gone */
  #tryOpen(
    { mount, response }: Request,
    decision: Decision,
    place: AddressPlace | undefined,
  ): boolean {
    if (!response.isOpen) return false;
    if (decision.result === "failed") response.fail(500);
    else if (decision.result === "limited") response.limited(decision.retryAfterMs);
    else if (decision.result === "refused") response.status(403);
    else if (decision.result === "unavailable" || this.#sessions.isDraining) response.unavailable();
    else {
      const { node, member } = this.#port.address;
      const { id: number, secret } = this.#sessions.open(decision.identity, mount.kind, place);
      const generation = this.#port.generationOf(member) ?? 0;
      const token = mount.tokens.sign({ node, member, generation, number, secret });
      response.batch(STATUS.gone, token, NO_MESSAGES);
      return true;
    }
    return false;
  }
}

/** Returns the caller that a session answers, for one on another shard. */
function sessionCaller(caller: ForwardingCaller): Caller {
  return {
    answer: (status, messages, settled) => caller.answer(status, Buffer.from(messages), settled),
  };
}

/** Returns a caller that takes the bytes of another shard's answer. */
function forwardingCaller(answer: Caller["answer"]): ForwardingCaller {
  return {
    answer(status, body, settled) {
      const messages = Buffer.from(body.buffer, body.byteOffset, body.length).toString("utf8");
      // Only a batch has an outcome.
      if (status === STATUS.messages && messages !== "") answer(status, messages, settled);
      else answer(status, messages);
    },
  };
}
