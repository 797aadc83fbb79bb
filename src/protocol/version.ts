/**
 * Selects a serializer by a client's `vsn` parameter.
 *
 * Runs on: any thread. Pure.
 */

import { invalid } from "../definition-checks.ts";
import { kindOf } from "../errors.ts";
import { jsonV1 } from "./json-v1.ts";
import { jsonV2 } from "./json-v2.ts";
import type { Serializer } from "./serializer.ts";
import { tryRequirement, tryVersion, type Requirement } from "./version-requirement.ts";

/** Version assumed for clients that send no `vsn`. */
export const DEFAULT_VSN = "1.0.0";

/** A serializer and the requirement for the client versions that use it. */
export interface SerializerChoice {
  /** `jsonV1`, `jsonV2`, or a result of `defineSerializer`. */
  readonly serializer: Serializer;
  /** Requirement that the client's `vsn` must meet, such as `~> 2.0.0`. */
  readonly version: string;
}

/** Serializers in order of preference. The first one whose requirement matches is used. */
export type SerializerList = readonly (SerializerChoice & { readonly matches: Requirement })[];

/** The serializers of Phoenix. */
const PHOENIX_SERIALIZERS: readonly SerializerChoice[] = [
  { serializer: jsonV1, version: "~> 1.0.0" },
  { serializer: jsonV2, version: "~> 2.0.0" },
];

/** The default serializers of a mount. */
export const DEFAULT_SERIALIZERS: SerializerList = serializersOf("serializers");

/**
 * Returns the serializer for a version; undefined if none matches.
 *
 * @param vsn - the client's `vsn` parameter, not validated; defaults to 1.0.0
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
 * Checks the serializers of a mount and parses their requirements. Defaults to those of Phoenix.
 *
 * @param subject - name of the option in error messages
 * @throws SIM_ERR_DEFINITION_INVALID if a serializer or requirement is invalid
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
    const makers = "jsonV1, jsonV2 or a result of defineSerializer";
    throw invalid(`serializer of ${subject} must be ${makers}, got ${kindOf(serializer)}`);
  }
  const matches = typeof version === "string" ? tryRequirement(version) : undefined;
  if (version === undefined || !matches) {
    const got = typeof version === "string" ? JSON.stringify(version) : kindOf(version);
    throw invalid(`version of ${subject} must be a requirement such as "~> 2.0.0", got ${got}`);
  }
  return { serializer, version, matches };
}
