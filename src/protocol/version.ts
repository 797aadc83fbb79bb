/**
 * Which serializer a client's `vsn` parameter asks for (WIRE §1.5).
 *
 * Runs on: any thread. Pure.
 */

import { invalid } from "../definition-checks.ts";
import { kindOf } from "../errors.ts";
import { jsonV1 } from "./json-v1.ts";
import { jsonV2 } from "./json-v2.ts";
import type { Serializer } from "./serializer.ts";
import { tryRequirement, tryVersion, type Requirement } from "./version-requirement.ts";

/** Version of a client that names none. */
export const DEFAULT_VSN = "1.0.0";

/** A serializer, and the versions of clients that get it. */
export interface SerializerChoice {
  /** `jsonV1`, `jsonV2`, or what `defineSerializer` made. */
  readonly serializer: Serializer;
  /** Requirement of the client's `vsn`, as in `~> 2.0.0`. */
  readonly version: string;
}

/** Serializers in their order: the first whose requirement matches is taken. */
export type SerializerList = readonly (SerializerChoice & { readonly matches: Requirement })[];

/** Phoenix's own. */
const PHOENIX_SERIALIZERS: readonly SerializerChoice[] = [
  { serializer: jsonV1, version: "~> 1.0.0" },
  { serializer: jsonV2, version: "~> 2.0.0" },
];

/** These, ready to be asked. */
export const DEFAULT_SERIALIZERS: SerializerList = serializersOf("serializers");

/**
 * Gives the serializer for a version, or undefined where none matches.
 *
 * @param vsn - the parameter as it came; absent means 1.0.0
 */
export function negotiate(
  vsn: unknown = DEFAULT_VSN,
  serializers: SerializerList = DEFAULT_SERIALIZERS,
): Serializer | undefined {
  const version = typeof vsn === "string" ? tryVersion(vsn) : undefined;
  if (!version) return undefined;
  return serializers.find(({ matches }) => matches(version))?.serializer;
}

/**
 * Makes a list of the serializers that a user chose; without a choice, of Phoenix's own.
 *
 * @param subject - what messages call it
 * @throws SIM_ERR_DEFINITION_INVALID for what is no serializer, or no requirement
 */
export function serializersOf(
  subject: string,
  chosen: unknown = PHOENIX_SERIALIZERS,
): SerializerList {
  if (!Array.isArray(chosen) || chosen.length === 0) {
    throw invalid(`${subject} must be a list of { serializer, version }, got ${kindOf(chosen)}`);
  }
  return chosen.map((choice: unknown) => choiceOf(subject, choice));
}

function choiceOf(subject: string, choice: unknown): SerializerList[number] {
  const { serializer, version } = (choice ?? {}) as Partial<SerializerChoice>;
  if (typeof serializer !== "object" || typeof serializer.decode !== "function") {
    const makers = "jsonV1, jsonV2 or made by defineSerializer";
    throw invalid(`serializer of ${subject} must be ${makers}, got ${kindOf(serializer)}`);
  }
  const matches = typeof version === "string" ? tryRequirement(version) : undefined;
  if (version === undefined || !matches) {
    const got = typeof version === "string" ? JSON.stringify(version) : kindOf(version);
    throw invalid(`version of ${subject} must be a requirement as "~> 2.0.0", got ${got}`);
  }
  return { serializer, version, matches };
}
