/**
 * A recorded scenario: what clients did, and what Phoenix sent back, in order.
 *
 * Runs on: the main thread of the tests.
 *
 * A transcript is a JSON file of scenarios. Each of its events becomes a step here: an act of a client
 * (open, text, binary, ping, pong, close, http; raw, frame) or an arrival at a connection (status, text, binary,
 * pong, closed, http; frame, ended). A signal to the server is an act of a connection that represents the server,
 * and the server's exit is an arrival at it. A scenario with any other kind of event has `unplayable` set.
 *
 * A raw connection works on bytes: it sends its request and frames exactly as in the scenario, even if they are
 * invalid, and each frame of the server is an arrival, including control frames and the end of the TCP connection.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { RawFrame } from "./raw-socket.ts";

/** Headers by their lower-case names. */
export type Headers = Readonly<Record<string, string>>;

/** An act of a client. */
export type Act =
  | {
      readonly kind: "open";
      readonly path: string;
      readonly protocols: readonly string[];
      readonly headers: Headers;
      /** Whether the client offered compression. The recording only shows offers that were accepted. */
      readonly offersDeflate: boolean;
    }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "binary" | "ping" | "pong"; readonly bytes: Uint8Array }
  | { readonly kind: "close"; readonly code: number | undefined; readonly reason: string }
  /** The client aborts its unanswered requests. */
  | { readonly kind: "abort" }
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals }
  | { readonly kind: "raw"; readonly request: string }
  | { readonly kind: "frame"; readonly frame: RawFrame }
  | {
      readonly kind: "http";
      readonly target: string;
      readonly headers: Headers;
      readonly body: Uint8Array;
    };

/** An arrival at a connection: the response to its handshake, a frame, its end, or the answer to a request. */
export type Arrival =
  | {
      readonly kind: "status" | "http";
      readonly status: number;
      readonly headers: Headers;
      readonly body: string;
    }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "binary" | "pong"; readonly hex: string }
  | { readonly kind: "closed"; readonly code: number; readonly reason: string }
  | FrameArrival
  | { readonly kind: "ended" }
  | { readonly kind: "exit"; readonly code: number | null; readonly signal: string | null };

/** A frame at a raw connection. Which of the last four fields it has depends on the opcode. */
export interface FrameArrival {
  readonly kind: "frame";
  readonly fin: number;
  readonly rsv: number;
  readonly opcode: number;
  readonly masked: number;
  readonly text?: string | undefined;
  readonly hex?: string | undefined;
  readonly code?: number | undefined;
  readonly reason?: string | undefined;
}

/** A step of a scenario, with its time in ms since the start. */
export type Step =
  | { readonly at: number; readonly conn: string; readonly act: Act }
  | { readonly at: number; readonly conn: string; readonly arrival: Arrival };

/** A recorded scenario. */
export interface Scenario {
  /** Name of the transcript without its extension, such as `01-join`. */
  readonly transcript: string;
  readonly name: string;
  readonly steps: readonly Step[];
  /** The first event that this replayer cannot replay, if there is one. */
  readonly unplayable: string | undefined;
}

/** An event as in the file. Its kind follows from the fields that it has. */
interface RecordedEvent {
  readonly t: number;
  readonly dir?: "->" | "<-" | "!!";
  readonly conn?: string;
  readonly headers?: Headers;
  readonly open?: string;
  readonly protocols?: readonly string[];
  readonly text?: string;
  readonly hex?: string;
  readonly ping?: string;
  readonly pong?: string;
  readonly close?: number | string;
  readonly reason?: string;
  readonly http?: string;
  readonly http_abort?: boolean;
  readonly status?: number;
  readonly body?: string;
  readonly http_status?: number;
  readonly closed?: number;
  readonly sha1?: string;
  readonly text_len_bytes?: number;
  readonly text_head?: string;
  readonly text_tail?: string;
  readonly bin_len?: number;
  readonly hex_head?: string;
  readonly raw_request?: readonly string[];
  readonly status_line?: string;
  readonly frame?: RecordedFrame;
  readonly tcp?: string;
  readonly note?: string;
  readonly server_exit?: number | null;
  readonly signal?: string | null;
}

interface RecordedFrame {
  readonly opcode: number;
  readonly fin?: number;
  readonly rsv?: number;
  readonly mask?: boolean;
  readonly masked?: number;
  readonly text?: string;
  readonly hex?: string;
  readonly close_code?: number;
  readonly close_reason?: string;
}

interface RecordedScenario {
  readonly name: string;
  readonly events: readonly RecordedEvent[];
}

/** The connection that represents requests without a connection. */
export const HTTP_CONN = "(http)";
/** The connection that represents the server itself. */
export const SERVER_CONN = "(server)";
const SIGNAL_NOTE = /^(SIG[A-Z]+) to the server$/;

const TRANSCRIPTS = new URL("../../../test/conformance/transcripts/", import.meta.url);

/** Returns the names of all transcripts, in order. */
export function transcriptNames(): string[] {
  const files = readdirSync(TRANSCRIPTS).filter((file) => file.endsWith(".json"));
  return files.map((file) => file.slice(0, -".json".length)).toSorted();
}

/** Reads the scenarios of one transcript. */
export function readTranscript(transcript: string): Scenario[] {
  const text = readFileSync(new URL(`${transcript}.json`, TRANSCRIPTS), "utf8");
  const { scenarios } = JSON.parse(text) as { readonly scenarios: readonly RecordedScenario[] };
  return scenarios.map((recorded) => parseScenario(transcript, recorded));
}

/** Converts a recorded scenario to steps. */
export function parseScenario(transcript: string, recorded: RecordedScenario): Scenario {
  const steps: Step[] = [];
  let unplayable: string | undefined;
  for (const event of recorded.events) {
    if (event.dir === undefined) {
      // Anything else is a note for the reader of the recording.
      const step = parseServerStep(event);
      if (step !== undefined) steps.push(step);
      continue;
    }
    // Errors on the recorder's side (a send on a closed connection) do not concern the server.
    if (event.dir === "!!") continue;
    // A half-close; the complete end is recorded separately after it.
    if (event.tcp === "FIN") continue;
    const step = parseStep(event);
    if (step === undefined)
      unplayable ??= Object.keys(event).find((key) => !COMMON_KEYS.has(key)) ?? "nothing";
    else steps.push(step);
  }
  return { transcript, name: recorded.name, steps: steps.map(withOffer), unplayable };
}

/** Makes a client offer what the response to its handshake accepted. */
function withOffer(step: Step, at: number, steps: readonly Step[]): Step {
  if (!("act" in step) || step.act.kind !== "open") return step;
  const answer = steps.slice(at).find((later) => later.conn === step.conn && "arrival" in later);
  const headers =
    answer && "arrival" in answer && answer.arrival.kind === "status" ? answer.arrival.headers : {};
  return { ...step, act: { ...step.act, offersDeflate: EXTENSIONS in headers } };
}

const EXTENSIONS = "sec-websocket-extensions";
const COMMON_KEYS = new Set(["t", "dir", "conn", "headers", "sha1"]);

function parseServerStep(event: RecordedEvent): Step | undefined {
  const { t: at, note, server_exit: code, signal = null } = event;
  const conn = SERVER_CONN;
  const named = SIGNAL_NOTE.exec(note ?? "")?.[1];
  if (named !== undefined) {
    return { at, conn, act: { kind: "signal", signal: named as NodeJS.Signals } };
  }
  return code === undefined ? undefined : { at, conn, arrival: { kind: "exit", code, signal } };
}

function parseStep(event: RecordedEvent): Step | undefined {
  const conn = event.conn ?? HTTP_CONN;
  if (event.dir === "->") {
    const act = parseAct(event);
    return act && { at: event.t, conn, act };
  }
  if (event.dir === "<-") {
    const arrival = parseArrival(event);
    return arrival && { at: event.t, conn, arrival };
  }
  return undefined;
}

function parseAct(event: RecordedEvent): Act | undefined {
  const { headers = {} } = event;
  if (event.open !== undefined)
    return {
      kind: "open",
      path: event.open,
      protocols: event.protocols ?? [],
      headers,
      offersDeflate: false,
    };
  if (event.raw_request !== undefined) {
    return { kind: "raw", request: `${event.raw_request.join("\r\n")}\r\n\r\n` };
  }
  if (event.frame !== undefined) return { kind: "frame", frame: parseFrame(event.frame) };
  if (event.http !== undefined) {
    const text = textOf(event);
    const body = text === undefined ? Buffer.from(event.hex ?? "", "hex") : Buffer.from(text);
    return { kind: "http", target: event.http, headers, body };
  }
  if (event.http_abort === true) return { kind: "abort" };
  return parseFrameAct(event);
}

function parseFrameAct(event: RecordedEvent): Act | undefined {
  if (event.ping !== undefined) return { kind: "ping", bytes: Buffer.from(event.ping, "hex") };
  if (event.pong !== undefined) return { kind: "pong", bytes: Buffer.from(event.pong, "hex") };
  if (event.close !== undefined) {
    const code = typeof event.close === "number" ? event.close : undefined;
    return { kind: "close", code, reason: event.reason ?? "" };
  }
  const bytes = bytesOf(event);
  if (bytes !== undefined) return { kind: "binary", bytes };
  const text = textOf(event);
  return text === undefined ? undefined : { kind: "text", text };
}

function parseFrame({ opcode, fin, mask, text, hex = "" }: RecordedFrame): RawFrame {
  const payload =
    text === undefined ? Buffer.from(hex, "hex") : Buffer.from(wholeText(opcode, text));
  return { opcode, isLast: fin !== 0, isMasked: mask !== false, payload };
}

/** Restores a frame's long text, of which only the length was kept: blanks, which JSON permits between tokens. */
function wholeText(opcode: number, text: string): string {
  const length = /^<(\d+) chars>$/.exec(text)?.[1];
  if (length === undefined) return text;
  return (opcode === 0 ? "" : "[").padEnd(Number(length));
}

function parseArrival(event: RecordedEvent): Arrival | undefined {
  if (event.tcp !== undefined) return { kind: "ended" };
  if (event.frame !== undefined) return parseFrameArrival(event.frame);
  return parseAnswer(event) ?? parseMessage(event);
}

function parseFrameArrival(frame: RecordedFrame): FrameArrival {
  const { opcode, text, hex, fin = 1, rsv = 0, masked = 0 } = frame;
  const { close_code: code, close_reason: reason } = frame;
  return { kind: "frame", opcode, fin, rsv, masked, text, hex, code, reason };
}

function parseAnswer(event: RecordedEvent): Arrival | undefined {
  const { headers = {} } = event;
  if (event.status !== undefined)
    return { kind: "status", status: event.status, headers, body: event.body ?? "" };
  if (event.http_status !== undefined) {
    return { kind: "http", status: event.http_status, headers, body: textOf(event) ?? "" };
  }
  if (event.status_line !== undefined) {
    const status = Number(event.status_line.split(" ")[1]);
    return { kind: "status", status, headers, body: event.body ?? "" };
  }
  return undefined;
}

function parseMessage(event: RecordedEvent): Arrival | undefined {
  if (event.closed !== undefined)
    return { kind: "closed", code: event.closed, reason: event.reason ?? "" };
  if (event.pong !== undefined) return { kind: "pong", hex: event.pong };
  if (event.hex !== undefined) return { kind: "binary", hex: event.hex };
  const text = textOf(event);
  return text === undefined ? undefined : { kind: "text", text };
}

/** Returns the bytes of a binary frame. Of a long one only the head was kept; its last byte is repeated. */
function bytesOf(event: RecordedEvent): Uint8Array | undefined {
  const { hex, hex_head: head, bin_len: length, sha1 } = event;
  if (hex !== undefined) return Buffer.from(hex, "hex");
  if (head === undefined || length === undefined) return undefined;
  const bytes = Buffer.alloc(length, Buffer.from(head.slice(-2), "hex"));
  bytes.write(head, "hex");
  return createHash("sha1").update(bytes).digest("hex") === sha1 ? bytes : undefined;
}

/** Returns the text of an event. Of a long one only both ends were kept; the middle is rebuilt and verified by hash. */
function textOf(event: RecordedEvent): string | undefined {
  const { text, text_len_bytes: lengthBytes, text_head: head, text_tail: tail, sha1 } = event;
  if (text !== undefined) return text;
  if (lengthBytes === undefined || head === undefined || tail === undefined) return undefined;
  const missing = lengthBytes - Buffer.byteLength(head + tail);
  const guesses = [numberedLines(head, lengthBytes), head + middleOf(head, tail, missing) + tail];
  return guesses.find((guess) => createHash("sha1").update(guess).digest("hex") === sha1);
}

/** Makes lines like the first line of a head, with a number that counts up from 0. */
function numberedLines(head: string, length: number): string {
  const [first = ""] = head.split("\n", 1);
  const lines: string[] = [];
  for (let at = 0; at < length; at += (lines.at(-1) ?? "").length + 1) {
    lines.push(first.replace("0", String(lines.length)));
  }
  return lines.join("\n");
}

/** Makes the middle of a long text so that it has as many opening as closing characters, or one kind only. */
function middleOf(head: string, tail: string, length: number): string {
  const [opening, closing] = [head.slice(-1), tail.slice(0, 1)];
  const openedInHead = head.length - head.replace(/(.)\1*$/s, "").length;
  const closedInTail = tail.length - tail.replace(/^(.)\1*/s, "").length;
  const opened = opening === closing ? length : (length + closedInTail - openedInHead) / 2;
  return opening.repeat(opened) + closing.repeat(length - opened);
}
