/**
 * HTTP answers of the server and of user code. Answers of user code are checked before they are
 * sent.
 *
 * Runs on: shard.
 */

import { STATUS_CODES } from "node:http";

import { isThenable } from "../../callbacks/promises.ts";
import { kindOf, makeError } from "../../errors.ts";
import { lostKind } from "../../json-loss.ts";
import { nearestHint } from "../../nearest-name.ts";
import { RETRY_AFTER_S } from "../../protocol/reserved.ts";
import type { EngineResponse } from "../engine/app-port.ts";

/** The answer of a route or an `errorHandler`. */
export interface RouteResponse {
  /** HTTP status, 200 to 599. */
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Text or bytes; anything else is sent as JSON. Bytes are not copied: do not change them after they were
   * returned.
   */
  readonly body?: unknown;
}

/** An answer that is ready to be sent. */
export interface PreparedAnswer {
  readonly status: number;
  readonly lines: readonly (readonly [string, string])[];
  readonly body: string | Uint8Array;
  /** The `content-length` that user code gave, for answers to HEAD. */
  readonly length?: number | undefined;
}

/** Statuses whose answers have neither a body nor a length (RFC 9110 §6.4.1, §8.6). */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 304]);
const CONTENT_LENGTH = "content-length";
const TRANSFER_ENCODING = "transfer-encoding";

const ANSWER_NAMES: readonly string[] = ["status", "headers", "body", "stream"];
/** Bodies of other frameworks, which JSON.stringify writes as `{}`. */
const UNSENT = [ArrayBuffer, Blob, ReadableStream, Map, Set] as const;

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

/** Returns the answer to a client whose address has all connections that it may have. */
export function addressFullAnswer(): PreparedAnswer {
  return { status: 429, lines: [["retry-after", RETRY_AFTER_S]], body: "" };
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
  checkNames(subject, answer);
  checkStatus(subject, status);
  checkWhole(subject, headers, body);
  const given = Object.entries(headers);
  for (const [name, value] of given) checkHeader(subject, name, value);
  // The engine writes the length of what is sent.
  const lines = given.filter(([name]) => name.toLowerCase() !== CONTENT_LENGTH);
  const length = lengthOf(given);
  if (typeof body === "string" || body instanceof Uint8Array) {
    return { status, lines, body, length };
  }
  const isTyped = lines.some(([name]) => name.toLowerCase() === "content-type");
  if (!isTyped) lines.unshift(["content-type", "application/json; charset=utf-8"]);
  const text = JSON.stringify(body) as string | undefined;
  if (text === undefined) {
    throw badAnswer(subject, `with a body that JSON supports, got ${typeof body}`);
  }
  const lost = lostKind(body, text);
  if (lost !== undefined) {
    throw badAnswer(subject, `with a body that JSON can represent, got a ${lost}`);
  }
  return { status, lines, body: text, length };
}

/**
 * Sends an answer. Must be called from within `cork`, or from the engine's callback for the request.
 *
 * @param isLast - whether to close the connection afterwards
 * @param isHead - whether it answers HEAD, and so must not have a body
 */
export function sendAnswer(
  response: EngineResponse,
  answer: PreparedAnswer,
  isLast = false,
  isHead = false,
): void {
  const { status, body, length } = answer;
  writeHead(response, answer);
  if (hasNoBody(status)) endWithoutLength(response, isLast);
  else if (isHead) response.endWithoutBody(length ?? Buffer.byteLength(body), isLast);
  else response.end(body, isLast);
}

/** Sends the head of an answer whose length is not known. It must be corked, as for `sendAnswer`. */
export function sendHead(response: EngineResponse, answer: PreparedAnswer, isLast: boolean): void {
  writeHead(response, answer);
  endWithoutLength(response, isLast);
}

// The engine has no call that closes the connection after an answer without a length.
function endWithoutLength(response: EngineResponse, isLast: boolean): void {
  if (isLast) response.endWithoutBody(0, true);
  else response.endWithoutBody();
}

/** Reports whether answers with a status have no body. */
export function hasNoBody(status: number): boolean {
  return WITHOUT_BODY.has(status);
}

/** Writes the status and headers of an answer. The response must be corked, as for `sendAnswer`. */
export function writeHead(response: EngineResponse, { status, lines }: PreparedAnswer): void {
  response.writeStatus(statusLine(status));
  for (const [name, value] of lines) response.writeHeader(name, value);
}

/** Returns a status with its reason phrase, such as `404 Not Found`. */
export function statusLine(status: number): string {
  return `${status} ${STATUS_CODES[status] ?? ""}`;
}

/** Refuses names that would have no effect, such as `header`, and a `stream` that is no function. */
function checkNames(subject: string, answer: object): void {
  const { stream } = answer as { readonly stream?: unknown };
  if (stream !== undefined && typeof stream !== "function") {
    throw badAnswer(subject, `with a function as stream, got ${kindOf(stream)}`);
  }
  if (!isLiteral(answer)) return;
  const unknown = Object.keys(answer).find((name) => !ANSWER_NAMES.includes(name));
  if (unknown === undefined) return;
  const hint = nearestHint(unknown, ANSWER_NAMES);
  throw badAnswer(subject, `without other names, got ${unknown}${hint}`);
}

/** Refuses objects whose contents are not in their properties: they would be sent as `{}`, or not at all. */
function checkWhole(subject: string, headers: unknown, body: unknown): void {
  if (!isLiteral(headers)) {
    throw badAnswer(subject, `with an object literal as headers, got ${kindOf(headers)}`);
  }
  const isUnsent = isThenable(body) || UNSENT.some((unsent) => body instanceof unsent);
  if (isUnsent) {
    throw badAnswer(subject, `with text, bytes or JSON as its body, got ${nameOf(body)}`);
  }
}

function isLiteral(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function nameOf(value: unknown): string {
  return (value as object).constructor.name;
}

function checkStatus(subject: string, status: unknown): void {
  if (Number.isInteger(status) && Number(status) >= 200 && Number(status) <= 599) return;
  throw badAnswer(subject, `with a status from 200 to 599, got ${shown(status)}`);
}

function lengthOf(headers: readonly (readonly [string, string])[]): number | undefined {
  const text = headers.find(([name]) => name.toLowerCase() === CONTENT_LENGTH)?.[1];
  const length = Number(text);
  return text !== undefined && Number.isSafeInteger(length) && length >= 0 ? length : undefined;
}

// The engine does not escape: a line break would start another header.
function checkHeader(subject: string, name: string, value: unknown): void {
  if (name.toLowerCase() === TRANSFER_ENCODING) {
    throw badAnswer(subject, `without ${TRANSFER_ENCODING}, which the server sets itself`);
  }
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
