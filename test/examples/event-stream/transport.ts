import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { defineTransport } from "simurgh/raw";
import type { RouteRequest, ShardContext } from "simurgh";
import type { RouteResult } from "simurgh/raw";
import type { TransportConnection, TransportDefinition, TransportHost } from "simurgh/raw";

/** Frames that arrived at a shard other than the one with the stream. */
interface Forwarded {
  readonly frames: readonly string[];
  readonly inbox: string;
  readonly ask: string;
}

interface OpenStream {
  readonly connection: TransportConnection;
  readonly unsubscribe: () => void;
}

const HEADERS = { "content-type": "text/event-stream", "cache-control": "no-store" };
const STATUS = { refused: 403, limited: 429, failed: 500, unavailable: 503 };
const FORWARD_MS = 1_000;

/** Server-sent events: a GET opens a stream of frames, and each POST sends frames, one per line. */
export function eventStream(socket: string): TransportDefinition {
  return defineTransport({
    name: "event-stream",
    start(host) {
      const streams = new Streams(host, socket);
      host.route(`GET ${socket}/events`, (request) => streams.open(request));
      host.route(`POST ${socket}/events/:stream`, (request) => streams.take(request));
    },
  });
}

/** The open streams of a shard. */
class Streams {
  readonly #host: TransportHost;
  readonly #context: ShardContext;
  readonly #socket: string;
  readonly #open = new Map<string, OpenStream>();
  /** Topic on which other shards confirm that they have received frames. */
  readonly #inbox = topicOf(randomUUID());
  /** Called when frames are confirmed, by `ask`. */
  readonly #waiting = new Map<string, () => void>();

  constructor(host: TransportHost, socket: string) {
    this.#host = host;
    this.#context = host.context;
    this.#socket = socket;
    this.#context.subscribe(this.#inbox, ({ payload }) => {
      this.#waiting.get((payload as Forwarded).ask)?.();
    });
  }

  async open(http: RouteRequest): Promise<RouteResult> {
    const decision = await this.#host.connect({ path: this.#socket, http });
    if (decision.result !== "ok") return { status: STATUS[decision.result] };
    return {
      status: 200,
      headers: HEADERS,
      stream: (out) => {
        // A secret: anyone who knows it can send on behalf of this client.
        const id = randomUUID();
        out.write(`event: open\ndata: ${this.#socket}/events/${id}\n\n`);
        const connection = decision.open({
          send: (frame) => out.write(eventOf(frame)),
          close: (code) => {
            this.#forget(id);
            if (code === 1006) out.abort();
            else out.end(`event: close\ndata: ${code}\n\n`);
          },
          get bufferedBytes() {
            return out.bufferedBytes;
          },
        });
        // Not open if the shard is closing.
        if (connection.isOpen) this.#keep(id, connection);
        return {
          drained: () => connection.drained(),
          closed: () => {
            this.#forget(id);
            connection.closed();
          },
        };
      },
    };
  }

  // POSTs may arrive at any shard of any node, which then forwards their frames here.
  #keep(id: string, connection: TransportConnection): void {
    const unsubscribe = this.#context.subscribe(topicOf(id), ({ payload }) => {
      const { frames, inbox, ask } = payload as Forwarded;
      receive(connection, frames);
      this.#context.broadcast(inbox, "taken", { ask });
    });
    this.#open.set(id, { connection, unsubscribe });
  }

  #forget(id: string): void {
    this.#open.get(id)?.unsubscribe();
    this.#open.delete(id);
  }

  async take(request: RouteRequest): Promise<RouteResult> {
    const id = request.params["stream"] ?? "";
    const lines = Buffer.from(await request.body())
      .toString()
      .split("\n");
    const frames = lines.filter((line) => line !== "");
    const stream = this.#open.get(id);
    if (!stream) return { status: (await this.#forward(id, frames)) ? 204 : 404 };
    receive(stream.connection, frames);
    return { status: 204 };
  }

  /** Forwards frames and waits for the other shard, so that the client's next frames do not overtake these. */
  async #forward(id: string, frames: readonly string[]): Promise<boolean> {
    const ask = randomUUID();
    const taken = new Promise<boolean>((resolve) => {
      this.#waiting.set(ask, () => resolve(true));
    });
    const forwarded: Forwarded = { frames, inbox: this.#inbox, ask };
    this.#context.broadcast(topicOf(id), "frames", forwarded);
    const isTaken = await Promise.race([taken, setTimeout(FORWARD_MS, false, { ref: false })]);
    this.#waiting.delete(ask);
    return isTaken;
  }
}

function topicOf(id: string): string {
  return `event-stream:${id}`;
}

function receive(connection: TransportConnection, frames: readonly string[]): void {
  for (const frame of frames) {
    connection.receive(frame.startsWith("=") ? Buffer.from(frame.slice(1), "base64") : frame);
  }
}

/** Encodes a frame as an event. Text frames are a line of JSON; bytes are sent as base64. */
function eventOf(frame: string | Uint8Array): string {
  const data = typeof frame === "string" ? frame : `=${Buffer.from(frame).toString("base64")}`;
  return `data: ${data}\n\n`;
}
