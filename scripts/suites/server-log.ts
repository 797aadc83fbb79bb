/**
 * The log of a server under test: finds the lines that no client may cause, and keeps the end for
 * reports.
 *
 * Runs on: a suite's process.
 */

import { LOG_LINES } from "../../src/index.ts";
import { Changes } from "./changes.ts";

/** Name of a log line. */
export type LineName = keyof typeof LOG_LINES;

/** Texts of lines that report a fault of the server itself, whatever clients send. */
const FAULTS: ReadonlySet<string> = new Set([
  LOG_LINES.uncaught.text,
  LOG_LINES.shardEnded.text,
  LOG_LINES.shardGivenUp.text,
  LOG_LINES.shardTerminated.text,
  LOG_LINES.recordFailed.text,
  LOG_LINES.receiveFailed.text,
]);

const MAX_KEPT_CHARACTERS = 16_000;
const MAX_FAULTS = 20;

/** Reads the lines that a server writes to standard error. */
export class ServerLog {
  /** Lines that report a fault of the server, at most `MAX_FAULTS`. */
  readonly faults: string[] = [];
  /** Number of lines, by text. */
  readonly counts = new Map<string, number>();
  bytes = 0;
  readonly changes = new Changes();
  #rest = "";
  #end = "";

  /** The last lines. */
  get end(): string {
    return this.#end;
  }

  add(chunk: string): void {
    this.bytes += Buffer.byteLength(chunk);
    this.#end = (this.#end + chunk).slice(-MAX_KEPT_CHARACTERS);
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = (lines.pop() ?? "").slice(-MAX_KEPT_CHARACTERS);
    for (const line of lines) this.#addLine(line);
    this.changes.changed();
  }

  /** Returns how many lines had a text. */
  count(name: LineName): number {
    return this.counts.get(LOG_LINES[name].text) ?? 0;
  }

  #addLine(line: string): void {
    if (line === "") return;
    const text = textOf(line);
    const key = text ?? "(not a log line)";
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    // Whatever is not a log line was written by Node.js or the engine, such as a stack or an abort.
    const isFault = text === undefined ? !isHarmless(line) : FAULTS.has(text) || isInternal(line);
    if (isFault && this.faults.length < MAX_FAULTS) this.faults.push(line.slice(0, 1_000));
  }
}

function textOf(line: string): string | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const { msg } = JSON.parse(line) as { readonly msg?: unknown };
    return typeof msg === "string" ? msg : undefined;
  } catch {
    return undefined;
  }
}

function isInternal(line: string): boolean {
  return line.includes("SIM_ERR_INTERNAL");
}

/** The engine prints a warning if its first asynchronous upgrade is not corked. */
function isHarmless(line: string): boolean {
  return line.startsWith("Warning: uWS.HttpResponse writes must be made from within a corked");
}
