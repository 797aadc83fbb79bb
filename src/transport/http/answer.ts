/**
 * HTTP answers of the server and of user code. Answers of user code are checked before they are
 * sent.
 *
 * Runs on: shard.
 */

import { STATUS_CODES } from "node:http";

import { makeError } from "../../errors.ts";
import { RETRY_AFTER_S } from "../../protocol/reserved.ts";
import type { HttpResponse } from "../engine/engine-types.ts";

/** The answer of a route or an `errorHandler`. */
export interface RouteResponse {
  /** HTTP status, 200 to 599. */
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text or bytes; anything else is sent as JSON. */
  readonly body?: unknown;
}

/** An answer that is ready to be sent. */
export interface PreparedAnswer {
  readonly status: number;
  readonly lines: readonly (readonly [string, string])[];
  readonly body: string | Uint8Array;
}

const MS_PER_S = 1_000;

/** Returns an answer with a status, and optionally a text body. */
export function plainAnswer(status: number, body = ""): PreparedAnswer {
  const isEmpty = body === "";
  return { status, lines: isEmpty ? [] : [["content-type", "text/plain; charset=utf-8"]], body };
}

/** Returns the answer to a client that should try again, on another node or shard. */
export function unavailableAnswer(): PreparedAnswer {
  return { status: 503, lines: [["retry-after", RETRY_AFTER_S]], body: "" };
}

/** Returns the answer to a client that is over a rate limit. */
export function limitedAnswer(retryAfterMs: number): PreparedAnswer {
  const retryAfterS = String(Math.ceil(retryAfterMs / MS_PER_S));
  return { status: 429, lines: [["retry-after", retryAfterS]], body: "" };
}

/**
 * Checks an answer of user code and prepares it for sending.
 *
 * @param subject - the function that returned it, for the error message
 * @throws SIM_ERR_BAD_RESULT if it cannot be sent
 */
export function prepareAnswer(subject: string, answer: unknown): PreparedAnswer {
  if (typeof answer !== "object" || answer === null) {
    throw badAnswer(subject, `got ${shown(answer)}`);
  }
  const { status, headers = {}, body = "" } = answer as RouteResponse;
  checkStatus(subject, status);
  const lines = Object.entries(headers);
  for (const [name, value] of lines) checkHeader(subject, name, value);
  if (typeof body === "string" || body instanceof Uint8Array) return { status, lines, body };
  const isTyped = lines.some(([name]) => name.toLowerCase() === "content-type");
  if (!isTyped) lines.unshift(["content-type", "application/json; charset=utf-8"]);
  const text = JSON.stringify(body) as string | undefined;
  if (text === undefined) {
    throw badAnswer(subject, `with a body that JSON supports, got ${typeof body}`);
  }
  return { status, lines, body: text };
}

/**
 * Sends an answer. Must be called from within `cork`, or from the engine's callback for the request.
 *
 * @param isLast - whether to close the connection afterwards
 */
export function sendAnswer(response: HttpResponse, answer: PreparedAnswer, isLast = false): void {
  writeHead(response, answer);
  response.end(answer.body, isLast);
}

/** Writes the status and headers of an answer. The response must be corked, as for `sendAnswer`. */
export function writeHead(response: HttpResponse, { status, lines }: PreparedAnswer): void {
  response.writeStatus(statusLine(status));
  for (const [name, value] of lines) response.writeHeader(name, value);
}

/** Returns a status with its reason phrase, such as `404 Not Found`. */
export function statusLine(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? ""}`;
}

function checkStatus(subject: string, status: unknown): void {
  if (Number.isInteger(status) && Number(status) >= 200 && Number(status) <= 599) return;
  throw badAnswer(subject, `with a status from 200 to 599, got ${shown(status)}`);
}

// The engine does not escape: a line break would start another header.
function checkHeader(subject: string, name: string, value: unknown): void {
  const isText = typeof value === "string" && !/[\r\n\0]/.test(value);
  if (isText && /^[\w!#$%&'*+.^`|~-]+$/.test(name)) return;
  const got = `${JSON.stringify(name)}: ${shown(value)}`;
  throw badAnswer(subject, `with headers of one line each, got ${got}`);
}

function badAnswer(subject: string, what: string): Error {
  const message = `${subject} must return { status, headers?, body? } ${what}`;
  return makeError("SIM_ERR_BAD_RESULT", message);
}

function shown(value: unknown): string {
  return typeof value === "number" ? String(value) : (JSON.stringify(value) ?? typeof value);
}
