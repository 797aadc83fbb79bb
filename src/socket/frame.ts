/**
 * Frames that raw sockets receive and send.
 *
 * Runs on: shard. Pure.
 */

import type { Connection } from "../channel/connection.ts";
import { kindOf, makeError } from "../errors.ts";

/** The kinds of control frames that user code receives. */
export type ControlOpcode = "ping" | "pong";

/** A frame from a client. Its data belongs to the receiver. */
export type DataFrame =
  | { readonly opcode: "text"; readonly data: string }
  | { readonly opcode: "binary"; readonly data: Uint8Array };

/** A ping or a pong from a client; its data may be empty. The transport answers pings. */
export interface ControlFrame {
  readonly opcode: ControlOpcode;
  readonly data: Uint8Array;
}

/**
 * A frame to a client. A string is sent as text, bytes as binary. In the object form, `opcode`
 * determines the type of frame, and `data` may be a string or bytes. A `ping` is sent over
 * WebSocket only.
 */
export type OutgoingFrame =
  | string
  | Uint8Array
  | DataFrame
  | {
      readonly opcode: "text" | "binary" | "ping";
      readonly data?: string | Uint8Array | undefined;
    };

/** Maximum length of a control frame's data (RFC 6455 §5.5). */
const MOST_CONTROL_BYTES = 125;

/** Reports whether `sendFrame` accepts a value. */
export function isFrame(value: unknown): value is OutgoingFrame {
  if (isData(value)) return true;
  if (typeof value !== "object" || value === null || !("opcode" in value)) return false;
  const data = "data" in value ? value.data : undefined;
  if (value.opcode === "ping") {
    return data === undefined || (isData(data) && byteLengthOf(data) <= MOST_CONTROL_BYTES);
  }
  return (value.opcode === "text" || value.opcode === "binary") && isData(data);
}

/**
 * Sends a frame.
 *
 * @throws SIM_ERR_PAYLOAD if the value is not a frame
 */
export function sendFrame(connection: Connection, frame: OutgoingFrame): void {
  if (!isFrame(frame)) throw makeError("SIM_ERR_PAYLOAD", noFrame(frame));
  if (isData(frame)) {
    connection.send(frame);
    return;
  }
  const { opcode, data = "" } = frame;
  if (opcode === "ping") connection.ping?.(data);
  else if (opcode === "binary")
    connection.send(typeof data === "string" ? Buffer.from(data) : data);
  else if (typeof data === "string") connection.send(data);
  else connection.sendEncoded(data, false);
}

function noFrame(got: unknown): string {
  const forms = `a string, a Uint8Array or { opcode: "text", "binary" or "ping", data }`;
  return `a frame must be ${forms}, a ping of at most ${MOST_CONTROL_BYTES} bytes, got ${kindOf(got)}`;
}

function isData(value: unknown): value is string | Uint8Array {
  return typeof value === "string" || value instanceof Uint8Array;
}

function byteLengthOf(data: string | Uint8Array): number {
  return typeof data === "string" ? Buffer.byteLength(data) : data.length;
}
