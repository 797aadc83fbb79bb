/**
 * Mail: bytes from a member of one node to a member of another, by way of the two links.
 *
 *   0      4      8         10        12         14         16
 *   +------+------+---------+---------+----------+----------+---------+---------+--------
 *   | –    | 0    | member  | member  | length   | length   | node it | node it | body …
 *   |      |      | it is   | it is   | of the   | of the   | is for  | is from |
 *   |      |      | for     | from    | former   | latter   |         |         |
 *   +------+------+---------+---------+----------+----------+---------+---------+--------
 *     0        in the place where the envelope of a broadcast has the offset of its topic, which is
 *              never 0: by this a link tells mail from broadcasts
 *     lengths  in bytes of UTF-8; all numbers little-endian
 *
 * It has no topic, so nobody can subscribe to it. It is delivered at most once, and in order for one
 * sender; senders must tolerate its loss.
 *
 * Runs on: any thread. Pure.
 */

/** A member of some node. */
export interface MailAddress {
  readonly node: string;
  readonly member: number;
}

/** Mail that was read. */
export interface Mail {
  readonly to: MailAddress;
  readonly from: MailAddress;
  /** Where its body begins in the bytes that it was read from; it ends where they end. */
  readonly bodyOffset: number;
}

const HEADER_BYTES = 16;
const MARK_OFFSET = 4;
const MARK_BYTES = 4;

/** Writes mail. */
export function packMail(to: MailAddress, from: MailAddress, body: Uint8Array): Uint8Array {
  const toNode = Buffer.from(to.node);
  const fromNode = Buffer.from(from.node);
  const bodyOffset = HEADER_BYTES + toNode.length + fromNode.length;
  // Not pooled: the sender reads it as words.
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

/** Reports whether bytes that another node sent are mail, rather than a broadcast. */
export function isMail(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_BYTES) return false;
  // By bytes: this is called for each broadcast of another node, and would make a view for each.
  for (let at = MARK_OFFSET; at < MARK_OFFSET + MARK_BYTES; at += 1) {
    if (bytes[at] !== 0) return false;
  }
  return true;
}

/** Reads mail. */
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
