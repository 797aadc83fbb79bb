/**
 * A transport of the official client over server-sent events and POSTs, for networks in which WebSockets do not work:
 * `new Socket("/socket", { transport: SseTransport })`.
 *
 *   connecting --open--> open --cut--> resuming --the events that are missing--> open
 *       |                 |               |
 *       |                 +--close--------+--the session is gone--> closed: the official client connects again
 *       +--refused--> closed
 *
 * If the session survives a cut, the official client does not notice it, and no channel joins again.
 *
 * Runs on: a client, in a browser or elsewhere that has `fetch` with streams.
 * Owns: the frames that are not posted yet. One POST at a time, so that no frame overtakes another. POSTs are numbered,
 *       so that one whose answer was lost can be repeated.
 */

import { EventParser, type ParsedEvent } from "./event-parser.ts";

const [CONNECTING, OPEN, CLOSED] = [0, 1, 3];
/** Used until the server has sent its times (ms). */
const RESUME_MS = 15_000;
const HEARTBEAT_MS = 15_000;
/** A stream is taken for cut if nothing, not even a heartbeat, has arrived for this many heartbeats. */
const SILENT_HEARTBEATS = 2.5;
const RETRY_MS = [0, 100, 250, 500, 1_000];
/** A stream that lasted this long (ms), or brought an event, does not count as a failure. */
const STEADY_MS = 1_000;
const MAX_FRAMES = 100;
const MAX_BYTES = 65_536;
const ABNORMAL = 1_006;
const TOO_LARGE = 1_009;
const TOKEN_PREFIX = "base64url.bearer.phx.";
/** Answers after which a POST is repeated. If it was handled after all, the server recognizes its number. */
const TEMPORARY: readonly number[] = [429, 502, 503, 504];
const [STATUS_GONE, STATUS_TOO_LARGE] = [410, 413];
const LINES_TYPE = "application/x-ndjson";
/** The body is one frame of bytes. In base64 it would be a third longer. */
const BYTES_TYPE = "application/octet-stream";

interface Close {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** A connection of the official client. */
export class SseTransport {
  /** Path of the mount's server-sent events, in place of `/websocket`. Subclasses may have another one. */
  static path = "/sse";

  onopen: (event: object) => void = ignore;
  onerror: (error: unknown) => void = ignore;
  onmessage: (event: { readonly data: string | ArrayBuffer }) => void = ignore;
  onclose: (event: Close) => void = ignore;
  readyState: number = CONNECTING;
  /** Set by the official client. */
  binaryType = "arraybuffer";
  timeout = 0;
  readonly #url: string;
  /** The URL without the query, whose parameters are for `connect` only and may be secret. */
  readonly #sessionUrl: string;
  readonly #authToken: string | undefined;
  readonly #ended = new AbortController();
  readonly #turns = new Turns();
  #stream: AbortController | undefined = undefined;
  #session = "";
  #lastId = "0";
  #resumeMs = RESUME_MS;
  #heartbeatMs = HEARTBEAT_MS;
  #watchdog: ReturnType<typeof setTimeout> | undefined = undefined;
  #lines: string[] = [];
  #posted = 0;
  #isPosting = false;

  /**
   * @param endPoint - as given by the official client, with `/websocket` after the path of the mount
   * @param protocols - of which one may have the `authToken`
   */
  constructor(endPoint: string, protocols: readonly string[] = []) {
    const { path } = new.target;
    this.#url = endPoint.replace(/^ws/, "http").replace(/\/websocket(?=\?|$)/, path);
    this.#sessionUrl = this.#url.replace(/[?#].*$/, "");
    const token = protocols.find((protocol) => protocol.startsWith(TOKEN_PREFIX));
    this.#authToken = token === undefined ? undefined : atob(token.slice(TOKEN_PREFIX.length));
    // Deferred, because the client sets its callbacks after the constructor.
    setTimeout(() => void this.#run(), 0);
  }

  /** Characters that are not posted yet. */
  get bufferedAmount(): number {
    return this.#lines.reduce((sum, line) => sum + line.length, 0);
  }

  send(frame: string | ArrayBuffer): void {
    this.#lines.push(lineOf(frame));
    if (!this.#isPosting) void this.#post();
  }

  close(code = 1_000, reason = ""): void {
    if (this.readyState === CLOSED) return;
    this.#leave();
    this.#end({ code, reason, wasClean: true });
  }

  /** Tells the server that it need not wait for this client. */
  #leave(): void {
    if (this.#session === "") return;
    void fetch(this.#sessionUrl, {
      method: "DELETE",
      headers: this.#sessionHeaders(),
      keepalive: true,
    }).catch(ignore);
  }

  // -- the stream --------------------------------------------------------------------------------

  async #run(): Promise<void> {
    let failedSinceMs = 0;
    for (let tries = 0; this.readyState !== CLOSED; tries += 1) {
      if (tries > 0) await this.#pause(tries - 1);
      if (this.#isClosed) return;
      const hadSession = this.#session !== "";
      const error = await this.#readStream(() => {
        tries = 0;
        failedSinceMs = 0;
      });
      if (this.#isClosed) return;
      failedSinceMs ||= Date.now();
      const mayResume = this.#session !== "" && Date.now() - failedSinceMs < this.#resumeMs;
      if (!mayResume) this.#fail(error, hadSession ? ABNORMAL : closeCodeOf(error));
    }
  }

  /** Reads a stream to its end. @returns why it ended */
  async #readStream(onSteady: () => void): Promise<unknown> {
    const stream = new AbortController();
    this.#stream = stream;
    const signal = anyOf(this.#ended.signal, stream);
    let begunAtMs = Infinity;
    try {
      this.#watch(stream);
      const headers = this.#streamHeaders();
      const response = await fetch(this.#url, { headers, signal });
      if (!response.ok || !response.body) {
        await response.body?.cancel();
        return response.status;
      }
      begunAtMs = Date.now();
      const parser = new EventParser();
      const reader = response.body.getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return "the stream has ended";
        this.#watch(stream);
        const events = parser.take(value);
        if (events.length > 0) onSteady();
        await this.#takeAll(events);
        if (this.#isClosed) return undefined;
      }
    } catch (error) {
      return error;
    } finally {
      if (Date.now() - begunAtMs >= STEADY_MS) onSteady();
      clearTimeout(this.#watchdog);
      stream.abort();
    }
  }

  // As with a WebSocket, promises that a message has settled are handled before the next message.
  async #takeAll(events: readonly ParsedEvent[]): Promise<void> {
    for (const [at, event] of events.entries()) {
      if (at > 0) await this.#turns.next();
      this.#take(event);
      // After the end, `Turns.next` would never resolve.
      if (this.#isClosed) return;
    }
  }

  #take({ id, event, data }: ParsedEvent): void {
    if (this.#isClosed) return;
    if (event === "open") this.#open(JSON.parse(data) as OpenData);
    else if (event === "close") {
      const { code, reason } = JSON.parse(data) as Close;
      this.#end({ code, reason, wasClean: true });
    } else if (event === "replaced") this.#end({ code: ABNORMAL, reason: event, wasClean: false });
    else if (event === "") {
      this.#lastId = id;
      this.onmessage({ data: frameOf(data) });
    }
  }

  #open({ session, resumeMs, heartbeatMs }: OpenData): void {
    this.#session = session;
    this.#resumeMs = resumeMs;
    this.#heartbeatMs = heartbeatMs;
    this.readyState = OPEN;
    this.onopen({});
    void this.#post();
  }

  #watch(stream: AbortController): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => stream.abort(), this.#heartbeatMs * SILENT_HEARTBEATS);
  }

  // -- POSTs -------------------------------------------------------------------------------------

  async #post(): Promise<void> {
    if (this.#isPosting || this.readyState !== OPEN) return;
    this.#isPosting = true;
    // Frames of the same turn go together.
    await Promise.resolve();
    while (!this.#isClosed && this.#lines.length > 0) {
      const count = countOf(this.#lines);
      this.#posted += 1;
      const error = await this.#postBody(bodyOf(this.#lines.slice(0, count)));
      this.#lines.splice(0, count);
      if (error !== undefined) this.#lose(error);
    }
    this.#isPosting = false;
  }

  /** Ends the connection because frames were lost. A WebSocket ends in the same way after a frame that is too long. */
  #lose(error: unknown): void {
    if (!this.#isClosed && error !== STATUS_GONE) this.#leave();
    this.#fail(error, error === STATUS_TOO_LARGE ? TOO_LARGE : ABNORMAL);
  }

  /** Posts a body until it is answered. @returns why it is lost, if it is */
  async #postBody(body: string | ArrayBuffer): Promise<unknown> {
    const sinceMs = Date.now();
    for (let tries = 0; ; tries += 1) {
      let failure: unknown;
      const late = new AbortController();
      // The server has answered by then, unless the connection is dead.
      const timer = setTimeout(() => late.abort(), this.#resumeMs);
      try {
        const { status } = await fetch(this.#sessionUrl, {
          method: "POST",
          headers: {
            ...this.#sessionHeaders(),
            "content-type": typeof body === "string" ? LINES_TYPE : BYTES_TYPE,
            "x-simurgh-post": String(this.#posted),
          },
          body,
          signal: anyOf(this.#ended.signal, late),
        });
        if (status === 204) return undefined;
        if (!TEMPORARY.includes(status)) return status;
        failure = status;
      } catch (error) {
        failure = error;
      } finally {
        clearTimeout(timer);
        late.abort();
      }
      if (this.#isClosed || Date.now() - sinceMs >= this.#resumeMs) return failure;
      await this.#pause(tries);
    }
  }

  // -- both --------------------------------------------------------------------------------------

  // A getter, because TypeScript assumes that `readyState` does not change while a function waits.
  get #isClosed(): boolean {
    return this.readyState === CLOSED;
  }

  #streamHeaders(): Record<string, string> {
    const headers: Record<string, string> = { accept: "text/event-stream" };
    if (this.#authToken !== undefined) headers["x-phoenix-authtoken"] = this.#authToken;
    if (this.#session !== "") headers["last-event-id"] = `${this.#session}:${this.#lastId}`;
    return headers;
  }

  #sessionHeaders(): Record<string, string> {
    return { "x-simurgh-session": this.#session };
  }

  #pause(tries: number): Promise<void> {
    const longest = RETRY_MS[Math.min(tries, RETRY_MS.length - 1)] ?? 0;
    // Random, so that clients that were cut at the same time do not reconnect at the same time.
    const ms = longest * (0.5 + Math.random() / 2);
    return new Promise((resolve) => {
      setTimeout(resolve, ms);
    });
  }

  #fail(error: unknown, code: number): void {
    if (this.#isClosed) return;
    this.onerror(error);
    this.#end({ code, reason: "", wasClean: false });
  }

  #end(close: Close): void {
    if (this.#isClosed) return;
    this.readyState = CLOSED;
    this.#lines = [];
    this.#turns.close();
    this.#stream?.abort();
    this.#ended.abort();
    this.onclose(close);
  }
}

interface OpenData {
  readonly session: string;
  readonly resumeMs: number;
  readonly heartbeatMs: number;
}

/** Waits for the next turn of the event loop, by a message to itself: browsers delay timers. */
class Turns {
  #channel: InstanceType<typeof MessageChannel> | undefined = undefined;
  #wake: () => void = ignore;

  next(): Promise<void> {
    if (!this.#channel) {
      this.#channel = new MessageChannel();
      Object.assign(this.#channel.port1, { onmessage: () => this.#wake() });
    }
    const { port2 } = this.#channel;
    return new Promise((resolve) => {
      this.#wake = resolve;
      port2.postMessage(0);
    });
  }

  close(): void {
    this.#channel?.port1.close();
    this.#wake();
  }
}

/** Returns the signal of a stream, which the end of the connection also aborts. `AbortSignal.any` is too new. */
function anyOf(ended: AbortSignal, stream: AbortController): AbortSignal {
  const abort = (): void => stream.abort();
  if (ended.aborted) abort();
  ended.addEventListener("abort", abort, { once: true });
  stream.signal.addEventListener("abort", () => ended.removeEventListener("abort", abort));
  return stream.signal;
}

/** Returns the close code for a failed connect, which the official client shows: 1008 after 403, as with its LongPoll. */
function closeCodeOf(error: unknown): number {
  return error === 403 ? 1_008 : ABNORMAL;
}

/** Returns how many of the lines are posted together: at least one. */
function countOf(lines: readonly string[]): number {
  let count = 0;
  let length = 0;
  for (const line of lines) {
    length += line.length;
    if (count > 0 && (count === MAX_FRAMES || length > MAX_BYTES)) break;
    count += 1;
  }
  return count;
}

/** Returns the body of a POST: lines, or the bytes of a frame that is long. */
function bodyOf(lines: readonly string[]): string | ArrayBuffer {
  const [line = ""] = lines;
  const isLong = line.length > MAX_BYTES && line.startsWith("=");
  return isLong ? fromBase64(line.slice(1)) : lines.join("\n");
}

function lineOf(frame: string | ArrayBuffer): string {
  if (typeof frame !== "string") return `=${toBase64(new Uint8Array(frame))}`;
  return /^(?:$|[="])|[\r\n]/.test(frame) ? JSON.stringify(frame) : frame;
}

function frameOf(line: string): string | ArrayBuffer {
  if (line.startsWith("=")) return fromBase64(line.slice(1));
  return line.startsWith('"') ? (JSON.parse(line) as string) : line;
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function fromBase64(base64: string): ArrayBuffer {
  return Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0)).buffer;
}

function ignore(): void {}
