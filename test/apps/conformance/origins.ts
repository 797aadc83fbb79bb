/**
 * The origins that may connect to the conformance app, from environment variables:
 *
 *   CHECK_ORIGIN   false (default), true, conn, or a list separated by commas
 *   URL_HOST       host of its own pages (localhost)
 *
 * Runs on: a shard.
 */
import type { CheckOrigin } from "../../../src/index.ts";

const WORDS: Readonly<Record<string, CheckOrigin>> = { false: false, true: true, conn: "conn" };

/** Returns `checkOrigin` for mounts that do not have their own. */
export function checkOriginOf(text = "false"): CheckOrigin {
  return WORDS[text] ?? text.split(",").map((entry) => entry.trim());
}
