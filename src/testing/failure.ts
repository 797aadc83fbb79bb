/**
 * Messages for failed assertions: what was expected, everything that was received, and the log.
 *
 * Runs on: the thread of a test.
 */

import { AssertionError } from "node:assert";
import { inspect } from "node:util";

import type { LogLine } from "./test-app.ts";

/** Evidence quoted by a failed assertion: a client's frames and the app's log. */
export interface Evidence {
  readonly frames: readonly string[];
  readonly log: readonly LogLine[];
}

/** The expectation of a failed assertion, and what was received instead. */
export interface Failure {
  /** Name of the assertion. */
  readonly operator: string;
  readonly message: string;
  readonly actual?: unknown;
  readonly expected?: unknown;
}

const MOST_CHARACTERS = 300;

/** Throws an AssertionError about a client. */
export function fail({ frames, log }: Evidence, failure: Failure): never {
  const { operator, message, actual, expected } = failure;
  throw new AssertionError({
    message: [message, ...frameLines(frames), ...logLines(log)].join("\n"),
    operator,
    actual,
    expected,
  });
}

/** Formats a value for a message. */
export function shown(value: unknown): string {
  return inspect(value, { depth: 6, breakLength: Infinity });
}

/** Formats a pattern for a message, after the name of an event or a status. */
export function shownPattern(pattern: unknown): string {
  return pattern === undefined ? "" : ` with ${shown(pattern)}`;
}

function frameLines(frames: readonly string[]): string[] {
  if (frames.length === 0) return ["this client received nothing"];
  return ["this client received:", ...frames.map((frame) => `  ${cut(frame)}`)];
}

function logLines(log: readonly LogLine[]): string[] {
  if (log.length === 0) return [];
  const lines = log.map(({ text, error }) => {
    const why = error === undefined ? "" : `: ${shown(error)}`;
    return `  ${text}${why}`.replaceAll("\n", "\n  ");
  });
  return ["the app logged:", ...lines];
}

function cut(text: string): string {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}
