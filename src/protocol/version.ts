/**
 * Which serializer a client's `vsn` parameter asks for (WIRE §1.5).
 *
 * Runs on: any thread. Pure.
 */

import { jsonV1 } from "./json-v1.ts";
import { jsonV2 } from "./json-v2.ts";
import type { Serializer } from "./serializer.ts";

/** Version of a client that names none. */
export const DEFAULT_VSN = "1.0.0";

/** A full semantic version; its pre-release part keeps it from matching anything. */
const SEMANTIC_VERSION =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[\dA-Za-z.-]+)?(\+[\dA-Za-z.-]+)?$/;

/** In this order: the first whose requirement `~> x.y.0` matches is taken. */
const SERIALIZERS: readonly Serializer[] = [jsonV1, jsonV2];

/**
 * Gives the serializer for a version, or undefined where none matches.
 *
 * @param vsn - the parameter as it came; absent means 1.0.0
 */
export function negotiate(vsn: unknown = DEFAULT_VSN): Serializer | undefined {
  if (typeof vsn !== "string") return undefined;
  const match = SEMANTIC_VERSION.exec(vsn);
  if (!match || match[4] !== undefined) return undefined;
  return SERIALIZERS.find((serializer) => vsn.startsWith(requiredPrefix(serializer)));
}

/** `~> 2.0.0` is at least 2.0.0 and below 2.1.0: every version that starts with `2.0.`. */
function requiredPrefix({ vsn }: Serializer): string {
  return vsn.slice(0, vsn.lastIndexOf(".") + 1);
}
