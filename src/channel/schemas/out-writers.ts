/**
 * What a channel's events are written by, where `out` has a JSON Schema for them.
 *
 * Runs on: shard; made with the definition.
 */

import { invalid } from "../../definition-checks.ts";
import { kindOf } from "../../errors.ts";
import { isSchema } from "./in-handlers.ts";
import { payloadWriter, type PayloadWriter } from "./payload-writer.ts";

/** The writers of a channel, by event. */
export class OutWriters {
  readonly #writers: ReadonlyMap<string, PayloadWriter>;

  private constructor(writers: ReadonlyMap<string, PayloadWriter>) {
    this.#writers = writers;
  }

  /**
   * Makes them of what a channel declares.
   *
   * @returns undefined where all is written by JSON.stringify
   * @throws SIM_ERR_DEFINITION_INVALID
   */
  static of(declared: Readonly<Record<string, unknown>> = {}): OutWriters | undefined {
    const writers = new Map<string, PayloadWriter>();
    for (const [event, schema] of Object.entries(declared)) {
      if (isSchema(schema)) continue;
      if (typeof schema !== "object" || schema === null) {
        const form = "a JSON Schema, a Standard Schema or typed()";
        throw invalid(`out.${event} must be ${form}, got ${kindOf(schema)}`);
      }
      const writer = payloadWriter(`out.${event}`, schema);
      if (writer) writers.set(event, writer);
    }
    return writers.size === 0 ? undefined : new OutWriters(writers);
  }

  /** Gives what is sent as the payload of an event. @throws SIM_ERR_PAYLOAD */
  written(event: string, payload: unknown): unknown {
    const write = this.#writers.get(event);
    return write ? write(payload) : payload;
  }
}
