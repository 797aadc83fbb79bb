/**
 * Compares what came back with what Phoenix sent, with the liberties that a comparison may take.
 *
 * Runs on: the main thread of the tests. Pure.
 *
 * Each arrival is written as one line, so that lines can be compared, printed and named in an exception.
 * Left out of the line is what no client relies on: the order of keys and the text form of numbers (JSON is
 * parsed and written again), values that differ from run to run or belong to a language (`FREE_VALUES`), headers
 * that no client reads (`READ_HEADERS` are the others), the text of HTTP error bodies. In presence,
 * `presence_state` and `presence_diff` that follow each other stand in either order; and so do answers to a
 * long-poll client's requests of both kinds, which it has open at the same time.
 */
import type { Arrival, FrameArrival, Headers } from "./scenario.ts";

/** Keys whose value is free, and why. */
const FREE_VALUES: Readonly<Record<string, string>> = {
  phx_ref: "made anew for each meta",
  phx_ref_prev: "made anew for each meta",
  online_at: "a time",
  token: "signed anew each time",
  inspect: "the text form of a value is the language's own",
};

/** Key of the frames in an answer to a long-poll client: texts that are JSON again. */
const BATCH_KEY = "messages";

/** The lines of answers to a long-poll client: of a poll that brings something, and of its own messages. */
const POLL_ANSWER = /^http 200 .*"status":200,"token"/;
const POST_ANSWER = /^http 200 .*\{"status":\d+\}$/;

/** Headers that a client reads. */
const READ_HEADERS = new Set([
  "sec-websocket-protocol",
  "sec-websocket-extensions",
  "access-control-allow-origin",
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-max-age",
]);

/** First difference at one connection. A missing line is undefined. */
export interface Difference {
  readonly conn: string;
  readonly index: number;
  readonly expected: string | undefined;
  readonly actual: string | undefined;
}

/** Writes an arrival as a line that is equal for arrivals that no client can tell apart. */
export function lineOf(arrival: Arrival): string {
  if (arrival.kind === "text") return `text ${canonicalText(arrival.text)}`;
  if (arrival.kind === "closed") return `closed ${arrival.code} ${JSON.stringify(arrival.reason)}`;
  if (arrival.kind === "frame") return frameLine(arrival);
  if (arrival.kind === "ended") return "ended";
  if (arrival.kind === "exit") return `exit ${arrival.code ?? arrival.signal}`;
  if ("hex" in arrival) return `${arrival.kind} ${arrival.hex}`;
  return answerLine(arrival.kind, arrival);
}

/** Writes the arrivals of one connection as lines, in the order in which they are compared. */
export function linesOf(arrivals: readonly Arrival[]): string[] {
  return settlePresenceOrder(settleAnswerOrder(arrivals.map(lineOf)));
}

/** Finds the first line in which a connection differs from what Phoenix sent it. */
export function firstDifference(
  conn: string,
  expected: readonly string[],
  actual: readonly string[],
): Difference | undefined {
  const length = Math.max(expected.length, actual.length);
  for (let index = 0; index < length; index += 1) {
    if (expected[index] !== actual[index]) {
      return { conn, index, expected: expected[index], actual: actual[index] };
    }
  }
  return undefined;
}

/** Says a difference in words, with everything that the connection got. */
export function describeDifference(difference: Difference, actual: readonly string[]): string {
  const { conn, index, expected, actual: got } = difference;
  return [
    `connection ${conn}, arrival ${index}:`,
    `  Phoenix sent  ${expected ?? "nothing more"}`,
    `  we sent       ${got ?? "nothing more"}`,
    "  all that came:",
    ...actual.map((line) => `    ${line.slice(0, 300)}`),
  ].join("\n");
}

function frameLine({ fin, rsv, opcode, masked, text, hex, code, reason }: FrameArrival): string {
  const content = text === undefined ? hex : canonicalText(text);
  const said = content ?? `close ${code ?? "without a code"} ${JSON.stringify(reason ?? "")}`;
  return `frame fin=${fin} rsv=${rsv} opcode=${opcode} masked=${masked} ${said}`;
}

function answerLine(
  kind: string,
  answer: { status: number; headers: Headers; body: string },
): string {
  const headers = Object.entries(answer.headers)
    .filter(([name]) => READ_HEADERS.has(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ` ${name}: ${value}`);
  const body = answer.status >= 400 || answer.body === "" ? "" : ` ${canonicalText(answer.body)}`;
  return `${kind} ${answer.status}${headers.join("")}${body}`;
}

function canonicalText(text: string): string {
  try {
    return canonical(JSON.parse(text));
  } catch {
    return text;
  }
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, held]) => `${JSON.stringify(key)}:${freed(key, held)}`).join(",")}}`;
}

function freed(key: string, value: unknown): string {
  if (Object.hasOwn(FREE_VALUES, key)) return '"(free)"';
  if (key === BATCH_KEY && Array.isArray(value)) {
    return `[${value.map((frame) => JSON.stringify(canonicalText(String(frame)))).join(",")}]`;
  }
  return canonical(value);
}

/**
 * Puts each answer to a POST before the answers to polls that it directly follows: a client has both
 * open at the same time, on connections of their own.
 */
function settleAnswerOrder(lines: readonly string[]): string[] {
  const settled: string[] = [];
  for (const line of lines) {
    let at = settled.length;
    if (POST_ANSWER.test(line)) {
      while (at > 0 && POLL_ANSWER.test(settled[at - 1] ?? "")) at -= 1;
    }
    settled.splice(at, 0, line);
  }
  return settled;
}

/** Puts each `presence_state` before the `presence_diff`s that it directly follows: Phoenix itself races there. */
function settlePresenceOrder(lines: readonly string[]): string[] {
  const settled: string[] = [];
  for (const line of lines) {
    let at = settled.length;
    if (line.includes('"presence_state"')) {
      while (at > 0 && settled[at - 1]?.includes('"presence_diff"') === true) at -= 1;
    }
    settled.splice(at, 0, line);
  }
  return settled;
}
