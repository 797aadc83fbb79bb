/**
 * Values as JSON text, and payloads that are forwarded as the text that the client sent.
 *
 * Runs on: any thread.
 */

import { kindOf, makeError } from "../errors.ts";
import { lostKind } from "../json-loss.ts";

/**
 * A client's payload as the JSON text that the client sent. It can be stored, sent like any other
 * payload, or nested in a payload.
 *
 * Receivers get exactly what the client sent, including unknown keys, duplicate keys, and numbers
 * that JavaScript cannot represent.
 */
export class JsonText {
  #text: string | undefined;
  /** If there is no text, the value that is written when `text` is first read. */
  #value: unknown;

  /** @param text - a single JSON value without surrounding whitespace */
  constructor(text: string | undefined) {
    this.#text = text;
  }

  /** Wraps a payload that did not arrive as JSON text. */
  static of(value: unknown): JsonText {
    const made = new JsonText(undefined);
    made.#value = value;
    return made;
  }

  /** The JSON text. @throws SIM_ERR_PAYLOAD if a wrapped value cannot be written as JSON */
  get text(): string {
    return (this.#text ??= jsonOf(this.#value));
  }

  /** Parses the text. Each call returns a new, modifiable value. Throws the same errors as `text`. */
  json(): unknown {
    return JSON.parse(this.text);
  }

  /** Called by JSON.stringify if this object is nested in another value. */
  toJSON(): unknown {
    return this.json();
  }

  /** Returns the value of a payload, parsed if it is a JsonText. Never throws. */
  static decoded(payload: unknown): unknown {
    if (!(payload instanceof JsonText)) return payload;
    return payload.#text === undefined ? payload.#value : payload.json();
  }
}

/**
 * Writes a value as JSON. Undefined is written as `{}`.
 *
 * @throws SIM_ERR_PAYLOAD if the value cannot be written as JSON, or only without its content
 */
export function jsonOf(value: unknown): string {
  if (value === undefined) return "{}";
  if (value instanceof JsonText) return value.text;
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw makeError("SIM_ERR_PAYLOAD", "payload must be serializable as JSON", { cause });
  }
  if (text === undefined) {
    throw makeError("SIM_ERR_PAYLOAD", `payload must be a JSON value, got ${typeof value}`);
  }
  checkWritten(value, text);
  return text;
}

/** Checks that the JSON of a payload has its content. @throws SIM_ERR_PAYLOAD if not, as for a promise */
export function checkWritten(value: unknown, text: string): void {
  const lost = lostKind(value, text);
  if (lost === undefined) return;
  const message = `payload must be a value that JSON can represent, got a ${lost}`;
  throw makeError("SIM_ERR_PAYLOAD", message);
}

/**
 * Writes an object as JSON. In version 2, the payloads of pushes and broadcasts must be objects.
 *
 * @throws SIM_ERR_PAYLOAD if the value or its JSON is not an object; for example, the JSON of a
 *   Date is a string
 */
export function objectJson(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw makeError("SIM_ERR_PAYLOAD", `payload must be an object, got ${kindOf(value)}`);
  }
  const text = jsonOf(value);
  if (text.startsWith("{")) return text;
  const kind = kindOf(JSON.parse(text));
  const got = value instanceof JsonText ? kind : `an object whose JSON type is ${kind}`;
  throw makeError("SIM_ERR_PAYLOAD", `payload must be an object, got ${got}`);
}
