/**
 * Mail: bytes from a member of one node to a member of another, through both links.
 *
 *   0      4      8         10        12         14         16
 *   +------+------+---------+---------+----------+----------+---------+---------+--------
 *   | –    | 0    | member  | member  | length   | length   | node it | node it | body …
 *   |      |      | it is   | it is   | of the   | of the   | is for  | is from |
 *   |      |      | for     | from    | former   | latter   |         |         |
 *   +------+------+---------+---------+----------+----------+---------+---------+--------
 *     0        tells mail from broadcasts: an envelope has the offset of its topic here, which is
 *              never 0
 *     lengths  in bytes of UTF-8; all numbers little-endian
 *
 * Mail has no topic, so nobody can subscribe to it. It is delivered at most once, and in order for
 * each sender. Senders must tolerate its loss.
 *
 * Runs on: any thread. Pure.
 */

/** A member of any node. */
export interface MailAddress {
  readonly node: string;
  readonly member: number;
}

/** Decoded mail. */
export interface Mail {
  readonly to: MailAddress;
  readonly from: MailAddress;
  /** Offset of the body in the decoded bytes. The body extends to their end. */
  readonly bodyOffset: number;
}

const HEADER_BYTES = 16;
const MARK_OFFSET = 4;
const MARK_BYTES = 4;

/** Encodes mail. */
export function packMail(to: MailAddress, from: MailAddress, body: Uint8Array): Uint8Array {
  const toNode = Buffer.from(to.node);
  const fromNode = Buffer.from(from.node);
  const bodyOffset = HEADER_BYTES + toNode.length + fromNode.length;
  // Not from the pool, because the sender reads the bytes as words, which must be aligned.
  const mail = Buffer.alloc(bodyOffset + body.length);
  mail.writeUInt16LE(to.member, 8);
  mail.writeUInt16LE(from.member, 10);
  mail.writeUInt16LE(toNode.length, 12);
  mail.writeUInt16LE(fromNode.length, 14);
  mail.set(toNode, HEADER_BYTES);
  mail.set(fromNode, HEADER_BYTES + toNode.length);
  mail.set(body, bodyOffset);
  return mail;
}

/** Reports whether bytes from another node are mail rather than a broadcast. */
export function isMail(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_BYTES) return false;
  // Reads bytes, because a view would require an allocation for each broadcast from another node.
  for (let at = MARK_OFFSET; at < MARK_OFFSET + MARK_BYTES; at += 1) {
    if (bytes[at] !== 0) return false;
  }
  return true;
}

/** Decodes mail. */
export function unpackMail(bytes: Uint8Array): Mail {
  const view = viewOf(bytes);
  const fromOffset = HEADER_BYTES + view.readUInt16LE(12);
  const bodyOffset = fromOffset + view.readUInt16LE(14);
  return {
    to: { node: view.toString("utf8", HEADER_BYTES, fromOffset), member: view.readUInt16LE(8) },
    from: { node: view.toString("utf8", fromOffset, bodyOffset), member: view.readUInt16LE(10) },
    bodyOffset,
  };
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
