/**
 * The writers for a channel's outgoing events that have a JSON Schema in `out`.
 *
 * Runs on: shard; created with the definition.
 */

import { invalid } from "../../definition-checks.ts";
import { kindOf } from "../../errors.ts";
import { isJsonSchema, isSchema } from "./in-handlers.ts";
import { payloadWriter, type PayloadWriter } from "./payload-writer.ts";

/** The writers of a channel, by event. */
export class OutWriters {
  readonly #writers: ReadonlyMap<string, PayloadWriter>;
  /** The schemas of the events that have a writer, as plain data. */
  readonly schemas: Readonly<Record<string, object>>;

  private constructor(
    writers: ReadonlyMap<string, PayloadWriter>,
    schemas: Readonly<Record<string, object>>,
  ) {
    this.#writers = writers;
    this.schemas = schemas;
  }

  /**
   * Creates the writers for a channel's declarations.
   *
   * @returns undefined if JSON.stringify writes all payloads
   * @throws SIM_ERR_DEFINITION_INVALID
   */
  static of(declared: Readonly<Record<string, unknown>> = {}): OutWriters | undefined {
    const writers = new Map<string, PayloadWriter>();
    const schemas: [event: string, schema: object][] = [];
    for (const [event, schema] of Object.entries(declared)) {
      if (!isJsonSchema(schema)) {
        if (isSchema(schema)) continue;
        const form = "a JSON Schema, a Standard Schema or typed()";
        throw invalid(`out.${event} must be ${form}, got ${kindOf(schema)}`);
      }
      const writer = payloadWriter(`out.${event}`, schema);
      if (!writer) continue;
      writers.set(event, writer);
      // Removes symbols, functions and getters, which cannot be sent to other threads.
      schemas.push([event, JSON.parse(JSON.stringify(schema)) as object]);
    }
    // An event may be named __proto__.
    return writers.size === 0 ? undefined : new OutWriters(writers, Object.fromEntries(schemas));
  }

  /** Reports whether an event has a writer. */
  has(event: string): boolean {
    return this.#writers.has(event);
  }

  /** Returns the encoded payload of an event. @throws SIM_ERR_PAYLOAD */
  written(event: string, payload: unknown): unknown {
    const write = this.#writers.get(event);
    return write ? write(payload) : payload;
  }
}
