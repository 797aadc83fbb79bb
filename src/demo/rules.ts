/**
 * Validates user input of the demo. The page shows the reasons.
 *
 * Runs on: shard. Pure.
 */

/** A valid text, or the reason why it is invalid. */
export type Checked = { readonly text: string } | { readonly reason: string };

const ROOM = /^[a-z0-9-]{1,24}$/;
const NAME_CHARACTERS = 32;
const MESSAGE_CHARACTERS = 500;
/** Counts user-perceived characters: an emoji is one, however many code points it has. */
const SEGMENTER = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Checks a name. */
export function checkName(payload: unknown): Checked {
  return checkText("a name", fieldOf(payload, "name"), NAME_CHARACTERS);
}

/** Checks the body of a message. */
export function checkMessage(payload: unknown): Checked {
  return checkText("a message", fieldOf(payload, "body"), MESSAGE_CHARACTERS);
}

/** Checks the name of a room, which is the topic without its prefix. */
export function checkRoom(name: string): Checked {
  if (ROOM.test(name)) return { text: name };
  return { reason: "a room must have 1 to 24 of the characters a to z, 0 to 9 and -" };
}

function checkText(what: string, value: unknown, most: number): Checked {
  if (typeof value !== "string") return { reason: `${what} must be text, got ${typeof value}` };
  const text = value.trim();
  const count = [...SEGMENTER.segment(text)].length;
  if (count >= 1 && count <= most) return { text };
  return { reason: `${what} must have 1 to ${most} characters, got ${count}` };
}

function fieldOf(payload: unknown, name: string): unknown {
  if (typeof payload !== "object" || payload === null) return undefined;
  return (payload as Readonly<Record<string, unknown>>)[name];
}
