/**
 * A Phoenix client on a page, with promises instead of callbacks.
 *
 * Runs on: the main thread of the tests.
 */
import type { Channel, Push, Socket, SocketOptions } from "phoenix";
import { within } from "../deadline.ts";
import { Arrivals } from "./arrivals.ts";
import type { Generation } from "./generations.ts";
import { Page, type SessionStorage } from "./page.ts";

/** The transport of the frames. */
export type Carrier = "websocket" | "longpoll";

/** How a client connects. */
export interface PageClientOptions {
  readonly carrier?: Carrier;
  readonly mount?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly storage?: SessionStorage;
  /** Options of the client's own socket. */
  readonly socket?: Partial<SocketOptions>;
}

/** The answer to a push, a join or a leave, or its timeout. */
export interface Answer {
  readonly status: string;
  readonly response: unknown;
}

/** All statuses that the app replies with, and the client's own for a timeout. */
const STATUSES = ["ok", "error", "maybe", "timeout"];

/** Clients retry quickly, so that tests need not wait, and send heartbeats only if a test wants them. */
const QUICK: Partial<SocketOptions> = {
  reconnectAfterMs: () => 20,
  rejoinAfterMs: () => 20,
};

/** A client on a page of its own. */
export class PageClient {
  readonly page: Page;
  readonly socket: Socket;
  /** Opened connections. */
  readonly opens = new Arrivals<void>();
  /** Ended connections: the close code, if there was one. */
  readonly closes = new Arrivals<number | undefined>();
  readonly errors = new Arrivals<unknown>();

  constructor(generation: Generation, port: number, options: PageClientOptions = {}) {
    const { carrier = "websocket", mount = "/socket", params = {}, storage, socket } = options;
    this.page = new Page(generation.entry(), storage);
    const { Socket: PhoenixSocket, LongPoll } = this.page.phoenix;
    this.socket = new PhoenixSocket(`ws://127.0.0.1:${port}${mount}`, {
      ...(carrier === "longpoll" ? { transport: LongPoll } : {}),
      params,
      ...QUICK,
      ...generation.options,
      ...socket,
    });
    this.socket.onOpen(() => this.opens.add());
    this.socket.onClose((event) => this.closes.add(event?.code));
    this.socket.onError((error) => this.errors.add(error));
  }

  /** Connects, and waits until the connection is open. */
  static async connect(...parts: ConstructorParameters<typeof PageClient>): Promise<PageClient> {
    const client = new PageClient(...parts);
    client.socket.connect();
    await client.opens.next("the connection");
    return client;
  }

  /** Token of its long-poll session, read from a private field of the client. */
  get pollToken(): unknown {
    return (Reflect.get(this.socket, "conn") as { readonly token: unknown } | null)?.token;
  }

  channel(topic: string, params: object = {}): PageChannel {
    return new PageChannel(this.socket.channel(topic, params));
  }

  /** Joins a topic, which must succeed. */
  async joined(topic: string, params: object = {}): Promise<PageChannel> {
    const channel = this.channel(topic, params);
    channel.join();
    await channel.rejoined();
    return channel;
  }

  /** Leaves the page. */
  close(): void {
    this.page.close();
  }
}

/** Events that a client's channel listens to. */
const EVENTS = ["shout", "pushed"];

/** One channel of a client. */
export class PageChannel {
  readonly channel: Channel;
  /** Answers to its joins, of which there may be many, because it rejoins by itself. */
  readonly joins = new Arrivals<Answer>();
  readonly errors = new Arrivals<unknown>();
  readonly closes = new Arrivals<unknown>();
  readonly #heard = new Map(EVENTS.map((event) => [event, new Arrivals<unknown>()]));

  constructor(channel: Channel) {
    this.channel = channel;
    channel.onError((reason) => this.errors.add(reason));
    channel.onClose((payload) => this.closes.add(payload));
    for (const [event, arrivals] of this.#heard)
      channel.on(event, (payload) => arrivals.add(payload));
  }

  get state(): Channel["state"] {
    return this.channel.state;
  }

  get topic(): string {
    return this.channel.topic;
  }

  join(): void {
    answers(this.channel.join(), (answer) => this.joins.add(answer));
  }

  /** Waits until it has joined or rejoined, and returns the response. @param who - for the error */
  async rejoined(who = "the client"): Promise<unknown> {
    for (;;) {
      const { status, response } = await this.joins.next(`${who}: the join of ${this.topic}`);
      if (status === "ok") return response;
    }
  }

  /** Pushes, and returns the answer. */
  push(event: string, payload: object = {}, timeoutMs?: number): Promise<Answer> {
    return answerOf(this.channel.push(event, payload, timeoutMs), `${event} on ${this.topic}`);
  }

  leave(): Promise<Answer> {
    return answerOf(this.channel.leave(), `the leave of ${this.topic}`);
  }

  /** Returns the payload of the next such event. */
  next(event: string): Promise<unknown> {
    return this.#of(event).next(`${event} on ${this.topic}`);
  }

  /** Returns how many such events have not been taken. */
  waiting(event: string): number {
    return this.#of(event).size;
  }

  #of(event: string): Arrivals<unknown> {
    const arrivals = this.#heard.get(event);
    if (!arrivals) throw new Error(`the test does not listen to ${event}`);
    return arrivals;
  }
}

function answers(push: Push, take: (answer: Answer) => void): void {
  for (const status of STATUSES) push.receive(status, (response) => take({ status, response }));
}

function answerOf(push: Push, what: string): Promise<Answer> {
  const answer = new Promise<Answer>((resolve) => answers(push, resolve));
  return within(answer, `an answer to ${what}`);
}
