/**
 * A request for a long-poll session, as one shard hands it to another.
 *
 *   0       1       2      4           12               28
 *   +-------+-------+------+-----------+----------------+--------
 *   | kind  | lines | –    | number    | secret         | body …
 *   +-------+-------+------+-----------+----------------+--------
 *     kind     1 a poll, 2 a post
 *     lines    1 where the body is lines
 *     number   of the session, a double
 *     secret   of the session, 16 characters of base64url
 *
 * Runs on: shard. Pure.
 */

/** What a client asks of its session. */
export type SessionRequest = {
  readonly number: number;
  readonly secret: string;
} & (
  | { readonly kind: "poll" }
  | { readonly kind: "post"; readonly body: Uint8Array; readonly hasLines: boolean }
);

const HEADER_BYTES = 28;
const NUMBER_OFFSET = 4;
const SECRET_OFFSET = 12;
const POLL = 1;
const POST = 2;

/** Writes a request. */
export function packRequest(request: SessionRequest): Uint8Array {
  const body = request.kind === "post" ? request.body : undefined;
  const bytes = Buffer.alloc(HEADER_BYTES + (body?.length ?? 0));
  bytes[0] = request.kind === "post" ? POST : POLL;
  bytes[1] = request.kind === "post" && request.hasLines ? 1 : 0;
  bytes.writeDoubleLE(request.number, NUMBER_OFFSET);
  bytes.write(request.secret, SECRET_OFFSET, HEADER_BYTES - SECRET_OFFSET, "latin1");
  if (body) bytes.set(body, HEADER_BYTES);
  return bytes;
}

/** Reads a request. */
export function unpackRequest(bytes: Uint8Array): SessionRequest {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const number = view.readDoubleLE(NUMBER_OFFSET);
  const secret = view.toString("latin1", SECRET_OFFSET, HEADER_BYTES);
  if (view[0] === POLL) return { kind: "poll", number, secret };
  const body = view.subarray(HEADER_BYTES);
  return { kind: "post", number, secret, body, hasLines: view[1] === 1 };
}
