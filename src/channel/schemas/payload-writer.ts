/**
 * Writes payloads that have a JSON Schema: only what the schema names, and faster than
 * JSON.stringify (`node dist/scripts/micro/payload-writer.js`).
 *
 * A schema is compiled where an object in it forbids further properties, for then the writing of a
 * compiled schema is what the schema says. One that forbids none would have to look at all that is
 * there, which JSON.stringify does as well.
 *
 * Runs on: shard; each schema is compiled once, with the definition.
 */

import { createRequire } from "node:module";

import { makeError } from "../../errors.ts";
import { bytesOf } from "../../protocol/binary-v2.ts";
import { JsonText } from "../../protocol/json-text.ts";

/** Gives what is sent for a payload: bytes as they are, else its JSON. */
export type PayloadWriter = (payload: unknown) => unknown;

type Compile = (schema: object) => (value: unknown) => string;

const require = createRequire(import.meta.url);

/**
 * Compiles a schema.
 *
 * @param subject - what it is the schema of, for messages
 * @returns undefined where it forbids nothing; else what throws SIM_ERR_PAYLOAD for a payload that
 *   lacks what the schema requires, or cannot be converted to it
 * @throws SIM_ERR_DEFINITION_INVALID where it is no JSON Schema that compiles
 */
export function payloadWriter(subject: string, schema: object): PayloadWriter | undefined {
  if (!forbidsProperties(schema)) return undefined;
  // Loaded by who uses it: most programs have no such schema.
  const compile = require("fast-json-stringify") as Compile;
  let write: (value: unknown) => string;
  try {
    write = compile(withOpenObjects(schema) as object);
  } catch (cause) {
    const message = `${subject} must be a JSON Schema that can be compiled, got ${String(cause)}`;
    throw makeError("SIM_ERR_DEFINITION_INVALID", message, { cause });
  }
  return (payload) => {
    if (bytesOf(payload)) return payload;
    let text: string;
    try {
      text = write(payload instanceof JsonText ? payload.json() : payload);
    } catch (cause) {
      throw makeError("SIM_ERR_PAYLOAD", `${subject} must fit its schema: ${String(cause)}`, {
        cause,
      });
    }
    return new JsonText(text);
  };
}

function forbidsProperties(schema: unknown): boolean {
  if (typeof schema !== "object" || schema === null) return false;
  if ("additionalProperties" in schema && schema.additionalProperties === false) return true;
  return Object.values(schema).some(forbidsProperties);
}

/**
 * Gives a schema in which objects say that they allow what they do not forbid: what the compiler
 * takes to be forbidden where nothing is said.
 */
function withOpenObjects(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withOpenObjects);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy = Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => [keyword, withOpenObjects(value)]),
  );
  const isOpen = copy["type"] === "object" && !("additionalProperties" in copy);
  return isOpen ? { ...copy, additionalProperties: true } : copy;
}
