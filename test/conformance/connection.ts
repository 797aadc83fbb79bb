/**
 * One connection of a replayed scenario: does what the recorded client did, and records what arrives.
 *
 * Runs on: the main thread of the tests.
 *
 * A fence is a heartbeat whose reply proves that the server had nothing more to send before it. Its frames do
 * not count as arrivals.
 */
import { request } from "node:http";
import type { ClientRequest, IncomingMessage } from "node:http";
import { createConnection } from "node:net";
import type { NetConnectOpts, Socket } from "node:net";
import { WebSocket } from "ws";
import { RawSocket } from "./raw-socket.ts";
import type { Act, Arrival, Headers } from "./scenario.ts";

/** The host of the recorded requests. */
const RECORDED_HOST = "127.0.0.1:4000";
const FENCE_REF = /"(fence:\d+)"/;

/** The client's end of a connection, and its arrivals. */
export class Connection {
  readonly arrivals: Arrival[] = [];
  readonly #port: number;
  readonly #onArrival: () => void;
  readonly #fences = new Set<string>();
  /** Requests that have not been answered. */
  readonly #requests = new Set<ClientRequest>();
  #webSocket: WebSocket | undefined;
  #raw: RawSocket | undefined;
  #tcp: Socket | undefined;
  #isV1 = true;

  /** @param onArrival - called after each arrival and each answered fence */
  constructor(port: number, onArrival: () => void) {
    this.#port = port;
    this.#onArrival = onArrival;
  }

  /** Whether frames can be sent: after a handshake with 101 and before the end. */
  get isOpen(): boolean {
    return this.#webSocket?.readyState === WebSocket.OPEN;
  }

  /** Whether the connection has ended, so that nothing more can arrive. */
  get isOver(): boolean {
    const last = this.arrivals.at(-1)?.kind;
    return last === "closed" || last === "ended";
  }

  /** Whether every fence was answered, or can no longer be. */
  get isFenced(): boolean {
    return this.#fences.size === 0 || !this.isOpen;
  }

  /** Performs acts. All their frames leave together, as a burst. */
  perform(acts: readonly Act[]): void {
    this.#tcp?.cork();
    for (const act of acts) this.#performOne(act);
    this.#tcp?.uncork();
  }

  /** Sends a fence if the connection can carry one. */
  raiseFence(number: number): void {
    if (!this.isOpen) return;
    const ref = `fence:${number}`;
    this.#fences.add(ref);
    const frame = this.#isV1
      ? { topic: "phoenix", event: "heartbeat", payload: {}, ref }
      : [null, ref, "phoenix", "heartbeat", {}];
    this.#webSocket?.send(JSON.stringify(frame));
  }

  /** Cuts the connection and waits until the socket is gone. */
  async cut(): Promise<void> {
    this.#abort();
    const tcp = this.#tcp;
    if (tcp === undefined || tcp.destroyed) return;
    const closed = new Promise((resolve) => tcp.once("close", resolve));
    this.#webSocket?.terminate();
    tcp.destroy();
    await closed;
  }

  #performOne(act: Act): void {
    if (act.kind === "open") this.#open(act);
    else if (act.kind === "http") this.#request(act.target, act.headers, act.body);
    else if (act.kind === "abort") this.#abort();
    else if (act.kind === "raw") this.#openRaw(act.request);
    else if (act.kind === "frame") this.#raw?.write(act.frame);
    // Signals concern the server, not a connection.
    else if (act.kind === "signal") return;
    else if (this.#webSocket !== undefined && this.isOpen) sendFrame(this.#webSocket, act);
  }

  #open({ path, protocols, headers, offersDeflate }: OpenAct): void {
    const { searchParams } = new URL(path, "http://localhost");
    this.#isV1 = (searchParams.getAll("vsn").at(-1) ?? "1.0.0").startsWith("1.");
    const webSocket = new WebSocket(`ws://127.0.0.1:${this.#port}${path}`, [...protocols], {
      headers: { ...headers },
      perMessageDeflate: offersDeflate,
      createConnection: ((options: NetConnectOpts) => {
        this.#tcp = createConnection(options);
        return this.#tcp;
      }) as typeof createConnection,
    });
    this.#webSocket = webSocket;
    webSocket.on("upgrade", (response) => {
      this.#arrive({ kind: "status", status: 101, headers: headersOf(response), body: "" });
      webSocket.on("close", (code, reason) => {
        this.#arrive({ kind: "closed", code, reason: reason.toString() });
      });
    });
    webSocket.on(
      "unexpected-response",
      (_request, response) => void this.#answer("status", response),
    );
    webSocket.on("message", (data: Buffer, isBinary) => this.#onFrame(data, isBinary));
    webSocket.on("pong", (data) => this.#arrive({ kind: "pong", hex: data.toString("hex") }));
    // Errors show up as a close. A refused connection is reported as the recorder saw it.
    webSocket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") this.#arrive({ kind: "closed", code: 1006, reason: "" });
    });
  }

  #openRaw(head: string): void {
    this.#raw = new RawSocket(this.#port, head, (arrival) => this.#arrive(arrival));
    this.#tcp = this.#raw.tcp;
  }

  #onFrame(data: Buffer, isBinary: boolean): void {
    if (isBinary) return this.#arrive({ kind: "binary", hex: data.toString("hex") });
    const text = data.toString("utf8");
    const fence = FENCE_REF.exec(text)?.[1];
    if (fence === undefined || !this.#fences.delete(fence))
      return this.#arrive({ kind: "text", text });
    return this.#onArrival();
  }

  #request(target: string, headers: Headers, body: Uint8Array): void {
    const [method, path] = target.split(" ");
    const outgoing = request({
      port: this.#port,
      host: "127.0.0.1",
      method,
      path,
      headers: { host: RECORDED_HOST, ...headers },
      agent: false,
    });
    this.#requests.add(outgoing);
    outgoing.on("close", () => this.#requests.delete(outgoing));
    outgoing.on("response", (response) => void this.#answer("http", response));
    outgoing.on("error", () => undefined);
    outgoing.end(body);
  }

  #abort(): void {
    for (const outgoing of this.#requests) outgoing.destroy();
  }

  async #answer(kind: "status" | "http", response: IncomingMessage): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const status = response.statusCode ?? 0;
    this.#arrive({
      kind,
      status,
      headers: headersOf(response),
      body: Buffer.concat(chunks).toString(),
    });
  }

  #arrive(arrival: Arrival): void {
    this.arrivals.push(arrival);
    this.#onArrival();
  }
}

type OpenAct = Extract<Act, { readonly kind: "open" }>;
type FrameAct = Exclude<
  Act,
  { readonly kind: "open" | "http" | "abort" | "raw" | "frame" | "signal" }
>;

function sendFrame(webSocket: WebSocket, act: FrameAct): void {
  if (act.kind === "text") webSocket.send(act.text);
  else if (act.kind === "close") webSocket.close(act.code, act.reason);
  else if (act.kind === "binary") webSocket.send(act.bytes);
  else if (act.kind === "ping") webSocket.ping(act.bytes);
  else webSocket.pong(act.bytes);
}

function headersOf(response: IncomingMessage): Headers {
  const entries = Object.entries(response.headers).map(
    ([name, value]) => [name, String(value)] as const,
  );
  return Object.fromEntries(entries);
}
