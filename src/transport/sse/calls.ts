/**
 * Calls between the shard that has a client's request and the shard that has its session.
 *
 *   attach   the client has reconnected with the number of an event; the answer has a number for its new stream
 *   read     the next events; waits for some if there are none. The session ends without reads
 *   alive    the client is there, but has not read everything, so that no read follows yet
 *   post     the frames of a POST
 *   leave    the client has closed its connection
 *
 *   a call or an answer: a line of JSON, and the text that belongs to it
 *
 * Runs on: shard. Pure.
 */

/** A call. */
export type SessionCall =
  | {
      readonly kind: "attach";
      readonly number: number;
      readonly after: number;
      /** The topics in the query of the new stream; undefined if the stream carries frames. */
      readonly topics?: readonly string[] | undefined;
    }
  | {
      readonly kind: "read" | "alive";
      readonly number: number;
      readonly stream: number;
    }
  | {
      readonly kind: "post";
      readonly number: number;
      readonly post?: number | undefined;
    }
  | { readonly kind: "leave"; readonly number: number };

/** An answer. The text has the events of `events` and `over`. */
export type SessionAnswer =
  /** There is no such session, or it cannot go on after that event. */
  | { readonly kind: "gone" }
  | { readonly kind: "attached"; readonly stream: number }
  | { readonly kind: "events" }
  /** No event came within the time that a read waits; also the answer to `alive`, if the stream goes on. */
  | { readonly kind: "none" }
  | { readonly kind: "replaced" }
  | { readonly kind: "cut" }
  | { readonly kind: "over" }
  | { readonly kind: "status"; readonly status: number };

/** A head with its text. */
export interface Packed<Head> {
  readonly head: Head;
  readonly text: string;
}

/** Writes a call or an answer. */
export function pack(head: SessionCall | SessionAnswer, text = ""): string {
  return `${JSON.stringify(head)}\n${text}`;
}

/** Reads a call or an answer, which was written on another shard with the same secret. */
export function unpack<Head extends SessionCall | SessionAnswer>(bytes: Uint8Array): Packed<Head> {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
  const at = whole.indexOf("\n");
  return { head: JSON.parse(whole.slice(0, at)) as Head, text: whole.slice(at + 1) };
}
