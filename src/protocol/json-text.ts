/**
 * JSON as text: what is written of a value, and a payload that stays the text it came as.
 *
 * Runs on: any thread.
 */

import { kindOf, makeError } from "../errors.ts";

/**
 * A client's payload, as JSON that nobody has taken apart. It may be kept, and sent wherever a
 * payload may be sent; within another value it counts as what it says.
 *
 * What a client wrote is what others get: keys that nobody asked for, keys that are there twice,
 * numbers beyond those of JavaScript.
 */
export class JsonText {
  #text: string | undefined;
  /** What is written when somebody asks for the text, where there is none yet. */
  #value: unknown;

  /** @param text - one JSON value, with nothing around it */
  constructor(text: string | undefined) {
    this.#text = text;
  }

  /** Makes one of a payload that came in another form. */
  static of(value: unknown): JsonText {
    const made = new JsonText(undefined);
    made.#value = value;
    return made;
  }

  /** The JSON. @throws SIM_ERR_PAYLOAD where a payload that came in another form has none */
  get text(): string {
    return (this.#text ??= jsonOf(this.#value));
  }

  /** Parses it, anew at each call: what it gives is yours to change. Throws as `text`. */
  json(): unknown {
    return JSON.parse(this.text);
  }

  /** For JSON.stringify: as a part of something else it is what it says. */
  toJSON(): unknown {
    return this.json();
  }

  /** Gives what a payload is, for who has to know: parsed where it is a text. Never throws. */
  static decoded(payload: unknown): unknown {
    if (!(payload instanceof JsonText)) return payload;
    return payload.#text === undefined ? payload.#value : payload.json();
  }
}

/**
 * Writes a value as JSON; nothing at all is `{}`.
 *
 * @throws SIM_ERR_PAYLOAD where JSON has no form for it
 */
export function jsonOf(value: unknown): string {
  if (value === undefined) return "{}";
  if (value instanceof JsonText) return value.text;
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw makeError("SIM_ERR_PAYLOAD", "payload must be a value that JSON can write", { cause });
  }
  if (text === undefined) {
    throw makeError("SIM_ERR_PAYLOAD", `payload must be a JSON value, got ${typeof value}`);
  }
  return text;
}

/**
 * Writes an object as JSON: what pushes and broadcasts of version 2 must be.
 *
 * @throws SIM_ERR_PAYLOAD where it is none, or JSON writes it as something else (a Date, say)
 */
export function objectJson(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw makeError("SIM_ERR_PAYLOAD", `payload must be an object, got ${kindOf(value)}`);
  }
  const text = jsonOf(value);
  if (text.startsWith("{")) return text;
  const kind = kindOf(JSON.parse(text));
  const got = value instanceof JsonText ? kind : `an object that JSON writes as ${kind}`;
  throw makeError("SIM_ERR_PAYLOAD", `payload must be an object, got ${got}`);
}
