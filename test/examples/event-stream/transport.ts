import { randomUUID } from "node:crypto";
import { defineTransport } from "simurgh/raw";
import type { RouteRequest } from "simurgh";
import type { RouteResult } from "simurgh/raw";
import type { TransportConnection, TransportDefinition, TransportHost } from "simurgh/raw";

const HEADERS = { "content-type": "text/event-stream", "cache-control": "no-store" };
const STATUS = { refused: 403, limited: 429, failed: 500, unavailable: 503 };
/** How long a client may have to wait until the shard has handled its frames. */
const CALL_MS = 30_000;
/** How calls between shards fail because there is no such shard any more. */
const GONE = "SIM_ERR_TRANSPORT_UNREACHABLE";

/** Server-sent events: a GET opens a stream of frames, and each POST sends frames, one per line. */
export function eventStream(socket: string): TransportDefinition {
  return defineTransport({
    name: "event-stream",
    start(host) {
      const streams = new Streams(host, socket);
      host.route(`GET ${socket}/events`, (request) => streams.open(request));
      host.route(`POST ${socket}/events/:shard/:stream`, (request) => streams.post(request));
      host.onCall((body) => streams.take(Buffer.from(body).toString()));
    },
  });
}

/** One client. */
interface Stream {
  readonly connection: TransportConnection;
  /** Called when the shard has handled what waited, or the stream has ended. */
  resume: () => void;
}

/** The open streams of a shard. */
class Streams {
  readonly #host: TransportHost;
  readonly #socket: string;
  readonly #open = new Map<string, Stream>();

  constructor(host: TransportHost, socket: string) {
    this.#host = host;
    this.#socket = socket;
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
        out.write(`event: open\ndata: ${this.#socket}/events/${this.#host.address}/${id}\n\n`);
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
          resume: () => this.#open.get(id)?.resume(),
        });
        // Not open if the shard is closing.
        if (connection.isOpen) this.#open.set(id, { connection, resume: () => {} });
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

  #forget(id: string): void {
    this.#open.get(id)?.resume();
    this.#open.delete(id);
  }

  /**
   * Takes the frames of a POST, which may arrive at any shard of any node, to the shard that has the stream. Answers when
   * they are there, so that the client's next frames do not overtake them.
   */
  async post(request: RouteRequest): Promise<RouteResult> {
    const { shard = "", stream = "" } = request.params;
    const body = `${stream}\n${Buffer.from(await request.body()).toString()}`;
    try {
      const answer = await this.#host.call(shard, body, { timeoutMs: CALL_MS });
      return { status: Number(Buffer.from(answer).toString()) };
    } catch (error) {
      return { status: (error as { readonly code?: unknown }).code === GONE ? 404 : 503 };
    }
  }

  /**
   * Takes the frames for a stream of this shard: its id, and then a line for each. Returns the status of the answer when
   * the client may send more.
   */
  async take(body: string): Promise<string> {
    const [id = "", ...lines] = body.split("\n");
    const stream = this.#open.get(id);
    if (!stream) return "404";
    for (const line of lines.filter((each) => each !== "")) {
      const goesOn = stream.connection.receive(frameOf(line));
      if (!goesOn && stream.connection.isOpen) await resumed(stream);
    }
    return "204";
  }
}

/** Waits until the shard has handled what waited. Several requests may wait for it. */
async function resumed(stream: Stream): Promise<void> {
  await new Promise<void>((resolve) => {
    const { resume } = stream;
    stream.resume = () => {
      stream.resume = () => {};
      resume();
      resolve();
    };
  });
}

function frameOf(line: string): string | Uint8Array {
  return line.startsWith("=") ? Buffer.from(line.slice(1), "base64") : line;
}

/**
 * Encodes a frame as an event. Text frames are JSON, which may have line breaks if a channel forwards what a client
 * sent; each line is one of the event. Bytes are sent as base64.
 */
function eventOf(frame: string | Uint8Array): string {
  const data = typeof frame === "string" ? frame : `=${Buffer.from(frame).toString("base64")}`;
  return `data: ${data.replaceAll(/\r\n|\r|\n/g, "\ndata: ")}\n\n`;
}
