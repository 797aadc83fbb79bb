/**
 * The requests of a mount with server-sent events, and their answers.
 *
 *   with an id:     the session here, or `attach` on its shard --no session--> topics: `connect`; frames: the end
 *   without an id:  `connect` --ok--> a new session here
 *
 * Runs on: shard; one instance for each mount.
 * Full: a request over a limit gets 400, 413 or 429. An `EventSource` that may try again gets 200 and a stream that
 *       ends, because after any other status it gives up.
 */

import { isUtf8 } from "node:buffer";

import type { TransportDecision, TransportHost } from "../custom/definition.ts";
import type { StreamedResponse, StreamListener, ResponseStream } from "../http/response-stream.ts";
import type { RouteRequest, RouteResult } from "../http/routes.ts";
import { headOf, lineOf, eventOf, openEvent, STREAM_HEADERS } from "./event.ts";
import { POST_STATUS } from "./post-queue.ts";
import { ask, GONE_EVENT, isUnreachable, Relay } from "./relay.ts";
import type { FrameEncoder } from "./session-ends.ts";
import { SseSession } from "./sse-session.ts";
import { CLIENT_CLOSED, mayResume, postTo } from "./sse-sessions.ts";
import { withDefaults, type SseMountOptions, type SseOptions } from "./sse-options.ts";
import type { SseShard } from "./sse-shard.ts";
import { SseStream } from "./sse-stream.ts";
import { idOf, MAX_ID_LENGTH, SseTokens, type ResumeId, type SessionPlace } from "./sse-token.ts";
import { isUtf8Query, topicRequestOf, tryPositions, type TopicRequest } from "./topic-request.ts";
import { TopicStream } from "./topic-stream.ts";

type Accepted = Extract<TransportDecision, { readonly result: "ok" }>;
type Refused = Exclude<TransportDecision, { readonly result: "ok" }>;

const SESSION_HEADER = "x-simurgh-session";
const POST_HEADER = "x-simurgh-post";
const LAST_ID_HEADER = "last-event-id";
const REQUESTED_HEADERS = "access-control-request-headers";
const POST_NUMBER = /^\d{1,15}$/;
const CORS = { "access-control-allow-origin": "*" };
/** The body of a POST of this type is one frame of bytes. */
const BYTES_TYPE = /^\s*application\/octet-stream\s*(?:;|$)/i;
const TEXT = { "content-type": "text/plain; charset=utf-8" };
/** Version of the protocol that streams of topics read. */
const VSN = "2.0.0";
const RETRY_AFTER_S = 5;
const BAD_QUERY = "percent escapes of the query must be UTF-8, got other bytes";
const MS_PER_S = 1_000;
const OTHER_SERIALIZER =
  "topic must be used with a socket whose serializer for version 2.0.0 is jsonV2, got another serializer";

/** A mount with server-sent events. */
export interface SseMountDefinition {
  /** Path of the mount. */
  readonly path: string;
  readonly options: SseMountOptions;
  /** Whether its socket has channels, so that a query may have topics. */
  readonly hasChannels: boolean;
  /** Whether its serializer of version 2 is `jsonV2`, whose frames streams of topics read. */
  readonly hasJsonV2: boolean;
}

/** The server-sent events of a mount. */
export class SseMount {
  readonly #shard: SseShard;
  readonly #host: TransportHost;
  readonly #path: string;
  readonly #options: SseOptions;
  readonly #definition: SseMountDefinition;
  readonly #tokens: SseTokens;

  /** @param served - path at which it is served */
  constructor(shard: SseShard, definition: SseMountDefinition, served: string) {
    this.#shard = shard;
    this.#host = shard.host;
    this.#path = definition.path;
    this.#options = withDefaults(definition.options);
    this.#definition = definition;
    this.#tokens = new SseTokens(shard.host.context.secretKeyBase, served);
  }

  // -- streams -----------------------------------------------------------------------------------

  /** Answers with a stream. */
  async get(request: RouteRequest): Promise<RouteResult> {
    if (!isUtf8Query(request.search)) return plain(400, BAD_QUERY);
    const asked = this.#topicsOf(request);
    if (typeof asked === "string") return plain(400, asked);
    const text = request.header(LAST_ID_HEADER) ?? request.query["lastEventId"] ?? "";
    if (text.length > MAX_ID_LENGTH) {
      return plain(
        400,
        `Last-Event-ID must have at most ${MAX_ID_LENGTH} characters, got ${text.length}`,
      );
    }
    if (!this.#host.allowsOrigin(this.#path, request)) return { status: 403 };
    if (text === "") return this.#connect(request, asked, undefined);
    // The answer to HEAD has no stream, so the session keeps the one that it has.
    if (request.method === "HEAD") return this.#last("");
    const id = this.#tokens.readId(text);
    const resumed = id.place && (await this.#tryResume(id.place, id.after, asked));
    if (resumed) return resumed;
    return asked ? this.#connect(request, asked, id) : this.#last(GONE_EVENT);
  }

  /** Returns the topics that a request asks for, if any, or why they are refused. */
  #topicsOf({ search }: RouteRequest): TopicRequest | string | undefined {
    const { hasChannels, hasJsonV2 } = this.#definition;
    const asked = hasChannels ? topicRequestOf(search) : undefined;
    return asked === undefined || hasJsonV2 ? asked : OTHER_SERIALIZER;
  }

  async #tryResume(
    place: SessionPlace,
    after: number,
    asked: TopicRequest | undefined,
  ): Promise<RouteResult | undefined> {
    const { sessions, isStopping } = this.#shard;
    const topics = asked?.topics;
    if (place.address === this.#host.address) {
      const session = sessions.find(place.number);
      if (!session || !mayResume(session, after, topics)) return undefined;
      return this.#stream((out) => this.#resumeHere(out, session, after));
    }
    // The client reconnects, and reaches a shard that is not closing.
    if (isStopping) return this.#last("", true);
    try {
      const { number } = place;
      const { head } = await ask(this.#host, place, { kind: "attach", number, after, topics });
      if (head.kind !== "attached") return undefined;
      const { stream } = head;
      return this.#stream((out) => this.#relay(out, place, stream));
    } catch (error) {
      if (isUnreachable(error)) return undefined;
      // The session may still exist: the client reconnects and asks for it again.
      return this.#last("", true);
    }
  }

  #resumeHere(out: ResponseStream, session: SseSession, after: number): StreamListener {
    const stream = this.#open(out, false);
    const listener = stream.from(sourceOf(session, stream));
    // The session may have ended since it was found.
    if (session.canResume(after)) session.attach(stream, after);
    else stream.end("over", session.topics ? "" : GONE_EVENT);
    return listener;
  }

  #relay(out: ResponseStream, place: SessionPlace, stream: number): StreamListener {
    const relayed = this.#open(out, true);
    const relay = new Relay(this.#host, place, { stream, out: relayed });
    const listener = relayed.from(relay);
    relay.drained();
    return listener;
  }

  async #connect(
    request: RouteRequest,
    asked: TopicRequest | undefined,
    id: ResumeId | undefined,
  ): Promise<RouteResult> {
    const decision = await this.#host.connect({
      path: this.#path,
      http: request,
      ...(asked && { params: { vsn: VSN } }),
    });
    if (decision.result !== "ok") return this.#refuse(decision, asked !== undefined);
    return this.#stream((out) => this.#begin(out, decision, asked, id));
  }

  #begin(
    out: ResponseStream,
    decision: Accepted,
    asked: TopicRequest | undefined,
    id: ResumeId | undefined,
  ): StreamListener {
    const { sessions } = this.#shard;
    const { resumeMs, heartbeatMs } = this.#options;
    const session = new SseSession({
      options: this.#options,
      topics: asked?.topics,
      onEnd: (ended) => sessions.remove(ended),
    });
    const connection = decision.open(session);
    const place = { address: this.#host.address, number: connection.number };
    const token = this.#tokens.sign(place);
    const stream = this.#open(out, false);
    const listener = stream.from(sourceOf(session, stream));
    const topics = asked && topicsOf(session, asked, token, id);
    if (!topics) stream.write(openEvent(token, resumeMs, heartbeatMs));
    session.begin(connection, topics ?? FRAMES);
    sessions.add(session);
    session.attach(stream, 0);
    topics?.start();
    return listener;
  }

  #open(out: ResponseStream, isRelayed: boolean): SseStream {
    const { heartbeatMs, retryMs } = this.#options;
    const stream = new SseStream(out, this.#shard.streams, { heartbeatMs, isRelayed });
    stream.write(headOf(retryMs));
    return stream;
  }

  #stream(stream: StreamedResponse["stream"]): StreamedResponse {
    return { status: 200, headers: { ...STREAM_HEADERS, ...CORS }, stream };
  }

  /** Answers with a stream that ends immediately. A browser connects again after `retryMs`. */
  #last(event: string, isElsewhere = false, retryMs = this.#options.retryMs): RouteResult {
    const closing = isElsewhere ? { connection: "close" } : {};
    return {
      status: 200,
      headers: { ...STREAM_HEADERS, ...CORS, ...closing },
      body: headOf(retryMs) + event,
    };
  }

  /** Answers a client that may not connect. An `EventSource` would never try again after any status but 200. */
  #refuse(decision: Refused, isEventSource: boolean): RouteResult {
    const { retryMs } = this.#options;
    switch (decision.result) {
      case "refused":
        return { status: 403, headers: CORS };
      // A service that `connect` needs may be unavailable for a moment.
      case "failed":
        if (isEventSource)
          return this.#last("", false, Math.max(retryMs, RETRY_AFTER_S * MS_PER_S));
        return { status: 500, headers: CORS };
      case "limited": {
        const { retryAfterMs } = decision;
        if (isEventSource) return this.#last("", false, Math.max(retryMs, retryAfterMs));
        return unavailable(429, Math.ceil(retryAfterMs / MS_PER_S));
      }
      default:
        return isEventSource ? this.#last("", true) : unavailable(503, RETRY_AFTER_S, true);
    }
  }

  // -- other requests ----------------------------------------------------------------------------

  /** Hands frames to a session. */
  async post(request: RouteRequest): Promise<RouteResult> {
    if (!this.#host.allowsOrigin(this.#path, request)) return { status: 403 };
    const place = this.#tokens.tryRead(request.header(SESSION_HEADER));
    const number = request.header(POST_HEADER);
    const isBytes = BYTES_TYPE.test(request.header("content-type") ?? "");
    const bytes = await request.body();
    if (!place) return { status: POST_STATUS.gone, headers: CORS };
    if (number !== undefined && !POST_NUMBER.test(number)) {
      return plain(POST_STATUS.badFrame, `${POST_HEADER} must be a number of at most 15 digits`);
    }
    if (!isBytes && !isUtf8(bytes)) {
      return plain(POST_STATUS.badFrame, "body must be UTF-8, got other bytes");
    }
    const body = isBytes
      ? lineOf(bytes)
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
    return this.#postTo(place, body, number === undefined ? undefined : Number(number));
  }

  async #postTo(place: SessionPlace, text: string, post: number | undefined): Promise<RouteResult> {
    const { number, address } = place;
    if (address === this.#host.address) {
      const session = this.#shard.sessions.find(number);
      return answerOf(session ? await postTo(session, text, post) : POST_STATUS.gone);
    }
    try {
      const waitMs = this.#options.resumeMs;
      const { head } = await ask(
        this.#host,
        place,
        { kind: "post", number, post },
        { text, waitMs },
      );
      return answerOf(head.kind === "status" ? head.status : POST_STATUS.gone);
    } catch (error) {
      return isUnreachable(error) ? answerOf(POST_STATUS.gone) : unavailable(503, RETRY_AFTER_S);
    }
  }

  /** Ends a session. */
  async leave(request: RouteRequest): Promise<RouteResult> {
    if (!this.#host.allowsOrigin(this.#path, request)) return { status: 403 };
    const place = this.#tokens.tryRead(request.header(SESSION_HEADER));
    if (place?.address === this.#host.address) {
      this.#shard.sessions.find(place.number)?.leave(CLIENT_CLOSED);
    } else if (place) {
      // A session that cannot be reached ends by itself, because it has no stream.
      await ask(this.#host, place, { kind: "leave", number: place.number }).catch(() => {});
    }
    return answerOf(POST_STATUS.done);
  }

  /** Answers a CORS preflight. */
  preflight(request: RouteRequest): RouteResult {
    if (!this.#host.allowsOrigin(this.#path, request)) return { status: 403 };
    const headers = {
      ...CORS,
      "access-control-allow-headers": request.header(REQUESTED_HEADERS) ?? "",
      "access-control-allow-methods": "GET, POST, DELETE, OPTIONS",
      "access-control-max-age": "3600",
    };
    return { status: 204, headers };
  }
}

/** Sends frames as they are, with their number as id. */
const FRAMES: FrameEncoder = {
  encode: (frame, number) => eventOf(number, lineOf(frame)),
  stop: () => {},
};

function topicsOf(
  session: SseSession,
  request: TopicRequest,
  token: string,
  id: ResumeId | undefined,
): TopicStream {
  return new TopicStream({
    request,
    positions: id && tryPositions(id.rest, request.topics),
    isReturn: id !== undefined,
    receive: (frame) => session.receive(frame),
    idOf: (number, rest) => idOf(token, number, rest),
  });
}

function sourceOf(session: SseSession, stream: SseStream): { drained(): void; gone(): void } {
  return { drained: () => session.flush(), gone: () => session.detach(stream) };
}

function answerOf(status: number): RouteResult {
  if (status === POST_STATUS.noFrames) {
    return plain(status, "session must carry frames, got a stream of topics");
  }
  if (status === POST_STATUS.badFrame) {
    return plain(status, 'body must have lines that are frames: text, "…" or =base64');
  }
  if (status === POST_STATUS.tooMany) return plain(status, "body must have at most 1000 lines");
  return status === POST_STATUS.full ? unavailable(status, 1) : { status, headers: CORS };
}

function plain(status: number, body: string): RouteResult {
  return { status, headers: { ...CORS, ...TEXT }, body };
}

function unavailable(status: number, afterS: number, isElsewhere = false): RouteResult {
  const closing = isElsewhere ? { connection: "close" } : {};
  return { status, headers: { ...CORS, "retry-after": String(afterS), ...closing } };
}
