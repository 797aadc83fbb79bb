/**
 * Writes payloads that have a JSON Schema: what the schema allows, without the fields that it forbids.
 *
 * The payload is taken as the JSON that JSON.stringify would write. What leaves is the `filtered`
 * value of that (`schema-node`), so it always matches the schema. If nothing can leave, the payload
 * is refused.
 *
 * A schema is compiled only if it forbids a field. For others, it would have to visit every field to
 * no effect, so JSON.stringify writes them.
 *
 * Runs on: shard and main; each schema is compiled once, with the definition.
 */

import { hasCode, makeError } from "../../errors.ts";
import { bytesOf } from "../../protocol/binary-v2.ts";
import { checkWritten, jsonOf, JsonText } from "../../protocol/json-text.ts";
import { forbidsFields } from "./forbidden-fields.ts";
import { QuickWriters } from "./quick-writer.ts";
import { SchemaCompiler } from "./schema-compiler.ts";
import { SchemaDocument } from "./schema-document.ts";
import { NOTHING, Trace, type SchemaNode } from "./schema-node.ts";

/** Returns the encoded payload: bytes unchanged, anything else as JSON text. */
export type PayloadWriter = (payload: unknown) => unknown;

/**
 * Compiles a schema.
 *
 * @param subject - name of the schema's subject, for error messages
 * @returns a writer, or undefined if the schema forbids nothing. The writer throws SIM_ERR_PAYLOAD
 *   if a payload does not match the schema without the forbidden fields, or is not JSON
 * @throws SIM_ERR_DEFINITION_INVALID if it is not a JSON Schema, or uses what is not supported
 */
export function payloadWriter(subject: string, schema: object): PayloadWriter | undefined {
  const document = new SchemaDocument(subject, schema);
  if (!forbidsFields(document)) return undefined;
  const compiler = new SchemaCompiler(document);
  const node = compiler.compiled();
  const writeQuickly = new QuickWriters(document, compiler).of(document.root);
  return (payload) => {
    if (bytesOf(payload)) return payload;
    const value =
      payload instanceof JsonText ? payload.json() : payload === undefined ? {} : payload;
    try {
      const text = writeQuickly(value);
      if (text === undefined) return new JsonText(slowText(subject, node, value));
      checkWritten(value, text);
      return new JsonText(text);
    } catch (cause) {
      if (hasCode(cause, "SIM_ERR_PAYLOAD")) throw cause;
      throw makeError("SIM_ERR_PAYLOAD", `${subject} must be serializable as JSON`, { cause });
    }
  };
}

/** Writes a payload in two steps: as JSON, and then without what the schema forbids. */
function slowText(subject: string, node: SchemaNode, payload: unknown): string {
  const text = jsonOf(payload);
  const json: unknown = JSON.parse(text);
  const kept = node.filtered(json);
  if (kept === json) return text;
  if (kept !== NOTHING) return JSON.stringify(kept);
  const trace = new Trace();
  node.matches(node.stripped(json), undefined, trace);
  throw makeError("SIM_ERR_PAYLOAD", `${subject} must match its schema: ${trace.toString()}`);
}
