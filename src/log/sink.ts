/**
 * The destination of log lines, and one that formats them as JSON, in the format of pino.
 *
 * Runs on: any thread.
 * Full: messages and stacks of errors are cut.
 */

import { pino } from "pino";

import { cutText, MAX_TEXT_UNITS } from "../cut-text.ts";
import { cutStack, messageOfReport, reportOf, type ErrorReport } from "../error-report.ts";

/** Destination of log lines: pino, console, or a user's object. */
export interface LogSink {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** Takes finished lines, each with its line feed. */
export interface LineDestination {
  write(line: string): void;
}

/** Maximum length of the stacks of an error and its causes (UTF-16 units). */
const MAX_STACK_UNITS = 8 * MAX_TEXT_UNITS;
/** Maximum number of errors of an AggregateError. */
const MAX_ERRORS = 8;

/** Creates a sink that passes each line to a destination before it returns. */
export function makeJsonSink(destination: LineDestination): LogSink {
  const serializers = { err: (error: unknown) => errorFields(reportOf(error)) };
  return pino({ level: "debug", base: null, serializers }, destination);
}

/** Returns the fields of an error, named as in pino. */
function errorFields(report: ErrorReport): object {
  const { name, code, errors, details } = report;
  const chain = chainOf(report);
  const stacks = chain.map(({ stack }) => stack && cutStack(stack, MAX_TEXT_UNITS)).filter(Boolean);
  return {
    ...details,
    type: name,
    message: chain.map((one) => cutText(messageOfReport(one))).join(": "),
    stack: cutText(stacks.join("\ncaused by: "), MAX_STACK_UNITS),
    ...(errors && { aggregateErrors: errors.slice(0, MAX_ERRORS).map(shortFields) }),
    ...(code !== undefined && { code }),
  };
}

function shortFields(report: ErrorReport): object {
  const { name, stack = "", code } = report;
  return {
    type: name,
    message: cutText(messageOfReport(report)),
    stack: cutText(stack),
    ...(code !== undefined && { code }),
  };
}

/** Returns an error and its causes. */
function chainOf(report: ErrorReport): ErrorReport[] {
  return report.cause ? [report, ...chainOf(report.cause)] : [report];
}
