/**
 * A client on a page, with promises instead of its callbacks.
 *
 * Runs on: the main thread of the tests.
 */
import type { Channel, Push, Socket, SocketOptions } from "phoenix";
import { within } from "../deadline.ts";
import { Arrivals } from "./arrivals.ts";
import type { Generation } from "./generations.ts";
import { Page, type SessionStorage } from "./page.ts";

/** What carries the frames. */
export type Carrier = "websocket" | "longpoll";

/** How a client is to connect. */
export interface PageClientOptions {
  readonly carrier?: Carrier;
  readonly mount?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly storage?: SessionStorage;
  /** For the client's own socket. */
  readonly socket?: Partial<SocketOptions>;
}

/** What a push, a join or a leave was answered, or that it was not. */
export interface Answer {
  readonly status: string;
  readonly response: unknown;
}

/** All that the app answers, and what the client says where nobody does. */
const STATUSES = ["ok", "error", "maybe", "timeout"];

/** Clients retry at once, so that tests need not wait. Their heartbeats are for tests that want them. */
const QUICK: Partial<SocketOptions> = {
  reconnectAfterMs: () => 20,
  rejoinAfterMs: () => 20,
};

/** One client, alone on its page. */
export class PageClient {
  readonly page: Page;
  readonly socket: Socket;
  /** Each time that a connection opened. */
  readonly opens = new Arrivals<void>();
  /** Each time that one ended: the code, where there was one. */
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

  /** Connects, and waits until it is. */
  static async connect(...parts: ConstructorParameters<typeof PageClient>): Promise<PageClient> {
    const client = new PageClient(...parts);
    client.socket.connect();
    await client.opens.next("the connection");
    return client;
  }

  /** Token of its session, where it polls. Nothing but tests may look at it. */
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

/** What a client's channel hears. */
const EVENTS = ["shout", "pushed"];

/** One channel of a client. */
export class PageChannel {
  readonly channel: Channel;
  /** Answers to its joins, of which there may be many: it joins anew by itself. */
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

  /** Waits until it is joined, again or for the first time. Gives the response. @param who - for the error */
  async rejoined(who = "the client"): Promise<unknown> {
    for (;;) {
      const { status, response } = await this.joins.next(`${who}: the join of ${this.topic}`);
      if (status === "ok") return response;
    }
  }

  /** Pushes, and gives the answer. */
  push(event: string, payload: object = {}, timeoutMs?: number): Promise<Answer> {
    return answerOf(this.channel.push(event, payload, timeoutMs), `${event} on ${this.topic}`);
  }

  leave(): Promise<Answer> {
    return answerOf(this.channel.leave(), `the leave of ${this.topic}`);
  }

  /** Gives the payload of the next such event. */
  next(event: string): Promise<unknown> {
    return this.#of(event).next(`${event} on ${this.topic}`);
  }

  /** How many such events nobody asked for. */
  waiting(event: string): number {
    return this.#of(event).size;
  }

  #of(event: string): Arrivals<unknown> {
    const arrivals = this.#heard.get(event);
    if (!arrivals) throw new Error(`nobody listens to ${event}`);
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
