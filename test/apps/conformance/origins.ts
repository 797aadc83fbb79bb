/**
 * Which pages may connect to the conformance app, as its environment says.
 *
 *   CHECK_ORIGIN   false (default), true, conn, or a list with commas
 *   URL_HOST       host of its own pages: localhost
 *
 * Runs on: a shard.
 */
import type { CheckOrigin } from "../../../src/index.ts";

const WORDS: Readonly<Record<string, CheckOrigin>> = { false: false, true: true, conn: "conn" };

/** `checkOrigin` of the mounts that have none of their own. */
export function checkOriginOf(text = "false"): CheckOrigin {
  return WORDS[text] ?? text.split(",").map((entry) => entry.trim());
}
