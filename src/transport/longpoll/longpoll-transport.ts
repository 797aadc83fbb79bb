/**
 * The long-poll transport: mounts sockets at paths that are asked again and again (WIRE §3).
 *
 *   GET      a poll, or where its session is not to be found, a new session
 *   POST     messages for a session
 *   OPTIONS  a page of another origin asks whether it may
 *
 *   parameters -> origin -> method -> token -> the session, here, on another shard, on another node
 *
 * Runs on: shard; one for each. A session lives where it was opened; any shard takes its requests.
 * Full: where the way to a session's shard is full, 503.
 */

import type { Decision } from "../../socket/connect.ts";
import type { Params } from "../../socket/connect-request.ts";
import type { ServedSocket } from "../../socket/served-socket.ts";
import type { KeyOptions } from "../../token/token-options.ts";
import { AUTH_TOKEN_HEADER } from "../handshake/auth-token.ts";
import type { DrainCounts, DrainPace } from "../drain.ts";
import type { EngineApp } from "../engine/engine-types.ts";
import type { Handshake } from "../handshake/handshake.ts";
import { isNdjson, MAX_BODY_BYTES } from "./body.ts";
import { LongPollResponse } from "./response.ts";
import { STATUS, type Caller } from "./caller.ts";
import { type SessionKind } from "./longpoll-session.ts";
import { LongPollSessions, type SessionsParts } from "./longpoll-sessions.ts";
import { spellingsOf, variablesOf } from "../http/path.ts";
import { headerOf, readHead, type RequestHead } from "../http/request-head.ts";
import { SessionForwarding } from "./forwarding.ts";
import { isSamePeer } from "./forwarding-peer.ts";
import { packRequest, unpackRequest, type SessionRequest } from "./forwarding-request.ts";
import {
  SESSION_TOKEN_HEADER,
  SESSION_TOKEN_PARAM,
  SessionTokens,
  type SessionPlace,
} from "./session-token.ts";
import type { SessionWire } from "./forwarding-port.ts";

/** A mount's options for long-poll. */
export interface LongPollOptions {
  /** How long a request may wait: a poll for messages, a POST for its messages to be handled (ms). */
  readonly windowMs: number;
  /** How long another shard may take to find a session (ms). */
  readonly pubsubTimeoutMs: number;
  /** How long a session may be used (ms). */
  readonly maxAgeMs: number;
  /** How the key of sessions' tokens is derived: Phoenix's `crypto`, whose max_age is `maxAgeMs`. */
  readonly crypto: KeyOptions;
}

/** What the transport is made of. */
export interface LongPollParts extends SessionsParts {
  readonly app: EngineApp;
  readonly wire: SessionWire;
  readonly secretKeyBase: string;
  readonly maxBackpressureBytes: number;
  /** How long a shard of another node may take for its next step in a request (ms). */
  readonly peerTimeoutMs: number;
}

/** A mount, as its requests need it. */
interface Mount {
  readonly handshake: Handshake;
  readonly tokens: SessionTokens;
  readonly kind: SessionKind;
  readonly options: LongPollOptions;
}

/** A request on its way. */
interface Request {
  readonly mount: Mount;
  readonly head: RequestHead;
  readonly params: Params;
  readonly response: LongPollResponse;
  /** As the client sent it: whatever it is. */
  readonly token: unknown;
  /** Where its session is, if the token holds. */
  readonly place: SessionPlace | undefined;
}

const REQUESTED_HEADERS = "access-control-request-headers";
const CONTENT_TYPE = "content-type";
const HEADERS = [CONTENT_TYPE, REQUESTED_HEADERS, SESSION_TOKEN_HEADER];
const NO_MESSAGES = "[]";
const BUSY = 503;
/** After these a client has no session here. */
const ENDS: ReadonlySet<number> = new Set([STATUS.gone, BUSY]);

/** All long-poll sessions of a shard, and requests for those of others. */
export class LongPollTransport {
  readonly forwarding: SessionForwarding;
  readonly #parts: LongPollParts;
  readonly #sessions: LongPollSessions;
  /** While it drains: whether those whose sessions go on stay, as no other shard could serve them. */
  #staysHere = true;
  readonly #isLast = (status: number): boolean =>
    this.#sessions.isDraining && (!this.#staysHere || ENDS.has(status));

  constructor(parts: LongPollParts) {
    this.#parts = parts;
    this.#sessions = new LongPollSessions(parts);
    this.forwarding = new SessionForwarding(
      parts.wire,
      (request, caller) => this.#sessions.serve(unpackRequest(request), caller),
      parts.peerTimeoutMs,
    );
    parts.sweep.add(() => this.forwarding.look(performance.now()));
  }

  /** Open sessions. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Serves a socket at a path. */
  mount(path: string, handshake: Handshake, options: LongPollOptions): void {
    const { app, secretKeyBase, maxBackpressureBytes } = this.#parts;
    const variables = variablesOf(path);
    const { hasAuthToken } = handshake.policy;
    const wants = handshake.wants(hasAuthToken ? [...HEADERS, AUTH_TOKEN_HEADER] : HEADERS);
    const mount: Mount = {
      handshake,
      tokens: new SessionTokens(secretKeyBase, options.maxAgeMs, options.crypto),
      kind: { windowMs: options.windowMs, maxLength: maxBackpressureBytes },
      options,
    };
    for (const spelling of spellingsOf(path)) {
      app.any(spelling, (response, request) => {
        const head = readHead(response, request, variables, wants);
        this.#take(mount, head, new LongPollResponse(response, this.#isLast));
      });
    }
  }

  /** The sockets of all sessions. */
  openSockets(): Iterable<ServedSocket> {
    return this.#sessions.openSockets();
  }

  /**
   * Ends all sessions, in batches, and opens no more: those who poll are told, and come back.
   *
   * Whose session is on another shard asks again, on a connection to another: but where all shards
   * drain there is none to be had, and so the client is served here until its session's batch is due.
   */
  async drain(pace: DrainPace): Promise<DrainCounts> {
    this.#staysHere = pace.isOfNode;
    if (!pace.isOfNode) this.forwarding.giveUpAll();
    return this.#sessions.drain(pace);
  }

  /** Answers all that waits here: this shard is about to end. */
  finish(): void {
    this.#staysHere = false;
    this.forwarding.giveUpAll();
  }

  /** Ends all sessions at once. */
  cutAll(): void {
    this.#sessions.cutAll();
    this.forwarding.giveUpAll();
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
    else if (head.method === "OPTIONS") response.preflight(headerOf(head, REQUESTED_HEADERS) ?? "");
    else if (head.method !== "GET" && head.method !== "POST") response.badMethod();
    else {
      const token = headerOf(head, SESSION_TOKEN_HEADER) ?? params[SESSION_TOKEN_PARAM];
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
      else if (status === BUSY) response.unavailable();
      else {
        const isDelivered = response.batch(status, String(token), messages || NO_MESSAGES);
        settled?.(isDelivered);
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
    response.readBody(MAX_BODY_BYTES, (body) => {
      if (!body) {
        response.fail(400);
        return;
      }
      const { number, secret } = place;
      const post = { kind: "post", number, secret, body, hasLines } as const;
      this.#ask(request, place, post, (status) => {
        if (status === BUSY) response.unavailable();
        else if (status === STATUS.badLine) response.fail(status);
        else response.status(status === STATUS.unknown ? STATUS.gone : status);
      });
    });
  }

  /** Has the session answer, wherever it is. */
  #ask(
    { mount, response }: Request,
    place: SessionPlace,
    request: SessionRequest,
    answer: Caller["answer"],
  ): void {
    const { wire } = this.#parts;
    const caller = { answer };
    if (!this.#mayBe(place)) {
      answer(STATUS.unknown, "");
      return;
    }
    if (isSamePeer(place, wire.peer)) {
      const forget = this.#sessions.serve(request, caller);
      if (response.isOpen) response.onAborted = forget;
      return;
    }
    const { windowMs, pubsubTimeoutMs } = mount.options;
    const cancel = this.forwarding.tryCall(place, place.generation, packRequest(request), caller, {
      acceptMs: pubsubTimeoutMs,
      answerMs: windowMs * 2 + pubsubTimeoutMs,
      lateStatus: request.kind === "poll" ? STATUS.none : STATUS.late,
    });
    this.#parts.meter.forwarded();
    if (!cancel) answer(BUSY, "");
    else if (response.isOpen) response.onAborted = cancel;
  }

  /** False where it is known that the thread which had a session has ended, or that no way leads there. */
  #mayBe({ node, member, generation }: SessionPlace): boolean {
    const { wire } = this.#parts;
    if (node !== wire.peer.node) return wire.reaches(node);
    return wire.generationOf(member) === generation;
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
    const decision = handshake.decide(head, params, authToken);
    if (decision instanceof Promise) void decision.then((settled) => this.#open(request, settled));
    else this.#open(request, decision);
  }

  #open({ mount, response }: Request, decision: Decision): void {
    if (!response.isOpen) return;
    if (decision.result === "failed") response.fail(500);
    else if (decision.result === "limited") response.limited(decision.retryAfterMs);
    else if (decision.result === "refused") response.status(403);
    else if (this.#sessions.isDraining) response.unavailable();
    else {
      const { wire } = this.#parts;
      const { node, member } = wire.peer;
      const { id: number, secret } = this.#sessions.open(decision.identity, mount.kind);
      const generation = wire.generationOf(member) ?? 0;
      const token = mount.tokens.sign({ node, member, generation, number, secret });
      response.batch(STATUS.gone, token, NO_MESSAGES);
    }
  }
}
