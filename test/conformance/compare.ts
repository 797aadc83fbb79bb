/**
 * Compares what a server sent with what Phoenix sent, ignoring irrelevant differences.
 *
 * Runs on: the main thread of the tests. Pure.
 *
 * Each arrival is written as a line, so that it can be compared, printed and named in an exception. The line
 * leaves out what no client relies on: the order of keys and the notation of numbers (JSON is parsed and
 * written again), values that differ from run to run or are specific to a language (`FREE_VALUES`), headers
 * that no client reads (all but `READ_HEADERS`), and the text of HTTP error bodies. Two things may come in
 * either order: adjacent `presence_state` and `presence_diff` messages, and the answers to polls and POSTs that
 * a long-poll client has open at the same time.
 */
import type { Arrival, FrameArrival, Headers } from "./scenario.ts";

/** Keys whose values are not compared, and why. */
const FREE_VALUES: Readonly<Record<string, string>> = {
  phx_ref: "different for each meta",
  phx_ref_prev: "different for each meta",
  online_at: "a time",
  token: "signed differently each time",
  inspect: "the text form of a value depends on the language",
};

/** Key of the frames in an answer to a long-poll client; each frame is JSON within a string. */
const BATCH_KEY = "messages";

/** Lines of answers to a long-poll client: to a poll with messages, and to a POST. */
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

/** The first difference at a connection. A missing line is undefined. */
export interface Difference {
  readonly conn: string;
  readonly index: number;
  readonly expected: string | undefined;
  readonly actual: string | undefined;
}

/** Writes an arrival as a line. Arrivals that clients cannot distinguish have equal lines. */
export function lineOf(arrival: Arrival): string {
  if (arrival.kind === "text") return `text ${canonicalText(arrival.text)}`;
  if (arrival.kind === "closed") return `closed ${arrival.code} ${JSON.stringify(arrival.reason)}`;
  if (arrival.kind === "frame") return frameLine(arrival);
  if (arrival.kind === "ended") return "ended";
  if (arrival.kind === "exit") return `exit ${arrival.code ?? arrival.signal}`;
  if ("hex" in arrival) return `${arrival.kind} ${arrival.hex}`;
  return answerLine(arrival.kind, arrival);
}

/** Writes the arrivals of a connection as lines, in the order in which they are compared. */
export function linesOf(arrivals: readonly Arrival[]): string[] {
  return settlePresenceOrder(settleAnswerOrder(arrivals.map(lineOf)));
}

/** Returns the first line in which a connection differs from Phoenix's. */
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

/** Describes a difference, with everything that the connection received. */
export function describeDifference(difference: Difference, actual: readonly string[]): string {
  const { conn, index, expected, actual: got } = difference;
  return [
    `connection ${conn}, arrival ${index}:`,
    `  Phoenix sent  ${expected ?? "nothing more"}`,
    `  we sent       ${got ?? "nothing more"}`,
    "  all arrivals:",
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
 * Moves each answer to a POST before the poll answers that it directly follows. A client has both kinds of
 * requests open at the same time, on separate connections.
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

/** Moves each `presence_state` before the `presence_diff`s that it directly follows; Phoenix has a race there. */
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
