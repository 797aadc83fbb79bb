/**
 * A client of server-sent events that does only what a test tells it to. Each request uses a connection of its own, so
 * that requests go to all shards in turn, and to all nodes if it has the ports of several.
 *
 * Runs on: the main thread of the tests.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request, type ClientRequest, type IncomingMessage } from "node:http";

import { within } from "./deadline.ts";

/** An event as it was received. */
export interface SseEvent {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** The answer to a request that is not a stream. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

type Headers = Readonly<Record<string, string>>;

/** Makes a request, and reads its whole answer. */
export async function askHttp(
  port: number,
  method: string,
  path: string,
  headers: Headers = {},
  body: string | Uint8Array = "",
): Promise<HttpAnswer> {
  const asked = send(port, method, path, headers, body);
  const [response] = await within(responded(asked), `an answer to ${method} ${path}`);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const { statusCode: status = 0, headers: got } = response;
  return { status, headers: got, body: Buffer.concat(chunks).toString() };
}

function send(
  port: number,
  method: string,
  path: string,
  headers: Headers,
  body: string | Uint8Array,
): ClientRequest {
  const asked = request({ host: "127.0.0.1", port, method, path, headers, agent: false });
  asked.on("error", () => {});
  asked.end(body);
  return asked;
}

function responded(asked: ClientRequest): Promise<[IncomingMessage]> {
  return once(asked, "response") as Promise<[IncomingMessage]>;
}

/** A stream. */
export class SseReader {
  readonly response: IncomingMessage;
  /** Everything before the first event with data. */
  readonly #unread: SseEvent[] = [];
  #wake: () => void = () => {};
  #isOver = false;
  /** Number of comments so far. */
  comments = 0;
  /** All that was received. */
  text = "";
  #rest = "";

  constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => this.#add(chunk));
    const over = (): void => {
      this.#isOver = true;
      this.#wake();
    };
    response.on("error", over);
    response.on("close", over);
    response.on("end", over);
  }

  /** Opens a stream, which must be accepted. */
  static async open(port: number, path: string, headers: Headers = {}): Promise<SseReader> {
    const asked = send(port, "GET", path, headers, "");
    const [response] = await within(responded(asked), `a stream of ${path}`);
    assert.equal(response.statusCode, 200, path);
    return new SseReader(response);
  }

  /** Returns the next event; undefined if the stream ends before. */
  async next(what = "an event"): Promise<SseEvent | undefined> {
    while (this.#unread.length === 0 && !this.#isOver) await this.#change(what);
    return this.#unread.shift();
  }

  /** Returns the next event, which must have data that is JSON. */
  async json(what = "an event"): Promise<unknown> {
    const event = await this.next(what);
    assert.ok(event, `the stream ended before ${what}`);
    return JSON.parse(event.data);
  }

  /** Waits until the stream ends, and returns the events that have not been read. */
  async end(): Promise<readonly SseEvent[]> {
    while (!this.#isOver) await this.#change("the end of the stream");
    return this.#unread.splice(0);
  }

  /** Waits for a number of comments. */
  async beats(count: number): Promise<void> {
    while (this.comments < count) await this.#change(`comment ${count}`);
  }

  /** Reads no more, until `resume`. */
  pause(): void {
    this.response.pause();
  }

  resume(): void {
    this.response.resume();
  }

  /** Cuts the connection. */
  cut(): void {
    this.response.destroy();
  }

  #change(what: string): Promise<void> {
    return within(
      new Promise((resolve) => {
        this.#wake = resolve;
      }),
      what,
    );
  }

  #add(chunk: string): void {
    this.text += chunk;
    const blocks = (this.#rest + chunk).split("\n\n");
    this.#rest = blocks.pop() ?? "";
    for (const block of blocks) this.#take(block);
    this.#wake();
  }

  #take(block: string): void {
    const lines = block.split("\n").filter((line) => !line.startsWith(":"));
    if (lines.length === 0) this.comments += 1;
    const valueOf = (name: string): string[] =>
      lines
        .filter((line) => line.startsWith(`${name}: `))
        .map((line) => line.slice(name.length + 2));
    const [id = "", event = "", data] = [valueOf("id")[0], valueOf("event")[0], valueOf("data")];
    if (data.length > 0 || id !== "") this.#unread.push({ id, event, data: data.join("\n") });
  }
}

/** A client that exchanges frames. */
export class SseClient {
  readonly #ports: number[];
  readonly #path: string;
  /** Its newest stream. */
  stream: SseReader;
  /** The token of its session. */
  readonly session: string;
  /** Number of the last event. */
  lastId = "0";
  #ref = 0;

  private constructor(ports: readonly number[], path: string, stream: SseReader, session: string) {
    this.#ports = [...ports];
    this.#path = path;
    this.stream = stream;
    this.session = session;
  }

  /** Opens a session, on the first of several nodes. */
  static async connect(
    nodes: number | readonly number[],
    query = "vsn=2.0.0",
    mount = "/socket",
  ): Promise<SseClient> {
    const ports = typeof nodes === "number" ? [nodes] : nodes;
    const path = `${mount}/sse?${query}`;
    const stream = await SseReader.open(ports[0] ?? 0, path);
    const open = await stream.next("the first event");
    assert.equal(open?.event, "open");
    const { session } = JSON.parse(open.data) as { session: string };
    return new SseClient(ports, path, stream, session);
  }

  get #port(): number {
    const port = this.#ports.shift() ?? 0;
    this.#ports.push(port);
    return port;
  }

  /** Returns the data of the next event. */
  async next(what = "a frame"): Promise<string> {
    const event = await this.stream.next(what);
    assert.ok(event, `the stream ended before ${what}`);
    if (event.event === "") this.lastId = event.id;
    return event.data;
  }

  /** Returns the next message. */
  async message(what = "a message"): Promise<unknown[]> {
    return JSON.parse(await this.next(what)) as unknown[];
  }

  /** Opens another stream of the session, at the next port. */
  async resume(after = this.lastId): Promise<SseReader> {
    const headers = { "last-event-id": `${this.session}:${after}` };
    this.stream = await SseReader.open(this.#port, this.#path, headers);
    return this.stream;
  }

  /** Posts lines, and returns the answer. */
  async post(body: string | Uint8Array, headers: Headers = {}): Promise<HttpAnswer> {
    const all = { "x-simurgh-session": this.session, ...headers };
    return askHttp(this.#port, "POST", this.#path, all, body);
  }

  /** Posts frames of Phoenix, which must be taken. */
  async send(...frames: readonly unknown[]): Promise<void> {
    const { status, body } = await this.post(frames.map((one) => JSON.stringify(one)).join("\n"));
    assert.equal(status, 204, body);
  }

  /** Pushes, without waiting for the reply. */
  async push(topic: string, event: string, payload: unknown = {}): Promise<string> {
    this.#ref += 1;
    const ref = String(this.#ref);
    await this.send([topic, ref, topic, event, payload]);
    return ref;
  }

  /** Joins a topic, with the topic as join_ref, and returns the response. */
  async join(topic: string, payload: unknown = {}): Promise<unknown> {
    const ref = await this.push(topic, "phx_join", payload);
    const [joinRef, got, , event, reply] = await this.message(`the join of ${topic}`);
    assert.deepEqual([joinRef, got, event], [topic, ref, "phx_reply"]);
    const { status, response } = reply as { status: string; response: unknown };
    assert.equal(status, "ok", JSON.stringify(response));
    return response;
  }

  /** Ends the session. */
  async leave(): Promise<number> {
    const headers = { "x-simurgh-session": this.session };
    return (await askHttp(this.#port, "DELETE", this.#path, headers)).status;
  }

  cut(): void {
    this.stream.cut();
  }
}
