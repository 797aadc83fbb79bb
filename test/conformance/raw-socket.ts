/**
 * A client that writes the bytes of a scenario, whether they follow the WebSocket rules or not, and reads frames
 * one by one.
 *
 * Runs on: the main thread of the tests.
 */
import { createConnection } from "node:net";
import type { Socket } from "node:net";
import type { Arrival, Headers } from "./scenario.ts";

/** A client's frame, as described by a scenario. */
export interface RawFrame {
  readonly opcode: number;
  readonly isLast: boolean;
  readonly isMasked: boolean;
  readonly payload: Uint8Array;
}

const MASK = Buffer.from("37fa213d", "hex");
const HEAD_END = "\r\n\r\n";
const CLOSE_OPCODE = 8;
const TEXT_OPCODE = 1;

/** A TCP connection that reports its arrivals. */
export class RawSocket {
  readonly tcp: Socket;
  readonly #onArrival: (arrival: Arrival) => void;
  #unread = Buffer.alloc(0);
  #isUpgraded = false;

  constructor(port: number, request: string, onArrival: (arrival: Arrival) => void) {
    this.#onArrival = onArrival;
    this.tcp = createConnection({ port, host: "127.0.0.1" });
    this.tcp.on("data", (chunk: Buffer) => this.#onData(chunk));
    this.tcp.on("end", () => onArrival({ kind: "ended" }));
    // A reset counts as an end, and the scenario continues.
    this.tcp.on("error", () => onArrival({ kind: "ended" }));
    this.tcp.write(request);
  }

  write(frame: RawFrame): void {
    if (!this.tcp.writable) return;
    this.tcp.write(encodeFrame(frame));
  }

  #onData(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk]);
    while (this.#isUpgraded ? this.#readFrame() : this.#readAnswer());
  }

  #readAnswer(): boolean {
    const headLength = this.#unread.indexOf(HEAD_END);
    if (headLength < 0) return false;
    const [statusLine = "", ...lines] = this.#unread.toString("utf8", 0, headLength).split("\r\n");
    const headers: Headers = Object.fromEntries(
      lines.map((line) => {
        const [name = "", ...value] = line.split(":");
        return [name.toLowerCase(), value.join(":").trim()];
      }),
    );
    const end = headLength + HEAD_END.length + Number(headers["content-length"] ?? 0);
    if (this.#unread.length < end) return false;
    const body = this.#unread.toString("utf8", headLength + HEAD_END.length, end);
    this.#unread = this.#unread.subarray(end);
    const status = Number(statusLine.split(" ")[1]);
    this.#isUpgraded = status === 101;
    this.#onArrival({ kind: "status", status, headers, body });
    return true;
  }

  #readFrame(): boolean {
    const [first, second] = this.#unread;
    if (first === undefined || second === undefined) return false;
    const isMasked = second >= 128;
    const lengthBytes = ([2, 8] as const)[(second & 127) - 126] ?? 0;
    const start = 2 + lengthBytes + (isMasked ? MASK.length : 0);
    if (this.#unread.length < start) return false;
    const length =
      lengthBytes === 0
        ? second & 127
        : Number(`0x${this.#unread.toString("hex", 2, 2 + lengthBytes)}`);
    if (this.#unread.length < start + length) return false;
    const payload = this.#unread.subarray(start, start + length);
    this.#unread = this.#unread.subarray(start + length);
    const head = { fin: first >> 7, rsv: (first >> 4) & 7, opcode: first & 15 };
    this.#onArrival({
      kind: "frame",
      ...head,
      masked: Number(isMasked),
      ...contentOf(head.opcode, payload),
    });
    return true;
  }
}

function encodeFrame({ opcode, isLast, isMasked, payload }: RawFrame): Buffer {
  const { length } = payload;
  const maskBit = isMasked ? 128 : 0;
  const head = [(isLast ? 128 : 0) | opcode];
  if (length < 126) head.push(maskBit | length);
  else head.push(maskBit | 126, length >> 8, length & 255);
  if (!isMasked) return Buffer.concat([Buffer.from(head), payload]);
  const masked = payload.map((byte, at) => byte ^ (MASK[at % MASK.length] as number));
  return Buffer.concat([Buffer.from(head), MASK, masked]);
}

type FrameContent =
  | { readonly text: string }
  | { readonly hex: string }
  | { readonly code: number | undefined; readonly reason: string };

function contentOf(opcode: number, payload: Buffer): FrameContent {
  if (opcode === TEXT_OPCODE) return { text: payload.toString("utf8") };
  if (opcode !== CLOSE_OPCODE) return { hex: payload.toString("hex") };
  const code = payload.length < 2 ? undefined : payload.readUInt16BE(0);
  return { code, reason: payload.toString("utf8", 2) };
}
