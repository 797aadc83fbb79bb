/**
 * The types of options, and the checks for their values.
 *
 * Runs on: any thread. Pure functions.
 */

import { invalidOption, shown } from "../definition-checks.ts";

/** An integer option. */
export interface IntegerOption {
  readonly kind: "integer";
  readonly env: string;
  readonly default: number | "auto";
  readonly min: number;
  readonly max: number;
  readonly unit:
    | "bytes"
    | "ms"
    | "shards"
    | "channels"
    | "messages"
    | "bits"
    | "MiB"
    | "port"
    | "connections"
    | "threads"
    | "tasks"
    | "percent"
    | "periods"
    | "leaves"
    | "lines"
    | "levels";
  readonly powerOfTwo?: true;
  readonly about: string;
  readonly atLimit: string;
}

/** A text option. */
export interface TextOption {
  readonly kind: "text";
  readonly env: string;
  /** `auto` means that the value is chosen at startup. */
  readonly default: string;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly choices?: readonly string[];
  readonly secret?: true;
  /** What to do if the value is out of range, for the end of an error message. */
  readonly advice?: string;
  /** Checks further rules. Returns `must …, got …` if a rule is violated, otherwise undefined. */
  readonly rule?: (text: string) => string | undefined;
  readonly about: string;
  readonly atLimit: string;
}

/** Makes a secret of 72 bytes, on every system that has Node.js. */
export const SECRET_COMMAND = "node -p 'crypto.randomUUID() + crypto.randomUUID()'";

/** Returns the range of an option as text, for messages and the reference. */
export function rangeOf(option: IntegerOption | TextOption): string {
  if (option.kind === "integer") {
    const power = option.powerOfTwo ? ", a power of two" : "";
    return `${option.min} to ${option.max}${power}`;
  }
  if (option.choices) return option.choices.join(", ");
  return `${option.minBytes} to ${option.maxBytes} bytes`;
}

/** Parses the value of a variable. Returns the text itself if it does not contain an integer. */
export function integerOf(text: string): unknown {
  return /^\s*\d[\d_]*\s*$/.test(text) ? Number(text.replaceAll("_", "")) : text;
}

/** Checks a value and returns it. @throws SIM_ERR_OPTION_INVALID if it is out of range */
export function checkInteger(
  subject: string,
  option: IntegerOption,
  value: unknown,
): number | "auto" {
  if (value === "auto" && option.default === "auto") return value;
  const { min, max, unit } = option;
  if (
    typeof value !== "number" ||
    !Number.isInteger(value) ||
    value < min ||
    value > max ||
    (option.powerOfTwo && !Number.isInteger(Math.log2(value)))
  ) {
    const power = option.powerOfTwo ? "a power of two" : "an integer";
    throw invalidOption(
      `${subject} must be ${power} from ${min} to ${max} (${unit}), got ${shown(value)}`,
    );
  }
  return value;
}

/** Checks a value and returns it. @throws SIM_ERR_OPTION_INVALID if it is out of range */
export function checkText(subject: string, option: TextOption, value: unknown): string {
  if (value === "auto" && option.default === "auto") return value;
  if (option.choices && !option.choices.some((choice) => choice === value)) {
    throw invalidOption(
      `${subject} must be one of ${option.choices.join(", ")}, got ${shown(value)}`,
    );
  }
  const bytes = typeof value === "string" ? Buffer.byteLength(value) : -1;
  if (bytes < option.minBytes || bytes > option.maxBytes) {
    const got = bytes < 0 ? typeof value : `${bytes}${option.secret ? "" : `: ${shown(value)}`}`;
    throw invalidOption(`${subject} ${lengthRule(option)}, got ${got}${adviceOf(option)}`);
  }
  const broken = option.rule?.(value as string);
  if (broken !== undefined) throw invalidOption(`${subject} ${broken}`);
  return value as string;
}

function lengthRule({ minBytes, maxBytes }: TextOption): string {
  return `must be a string of ${minBytes} to ${maxBytes} (bytes)`;
}

function adviceOf({ advice }: TextOption): string {
  return advice === undefined ? "" : `; ${advice}`;
}

/** Names that Phoenix gives to unnamed nodes. They are rejected because they are not unique. */
const NO_NAME = /^nonode(?:@nohost)?$/;

/** Checks `nodeName`. */
export function nodeNameRule(text: string): string | undefined {
  return NO_NAME.test(text) ? `must be unique in the cluster, or auto, got ${text}` : undefined;
}
