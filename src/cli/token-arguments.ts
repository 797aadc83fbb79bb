/**
 * Arguments of `simurgh token`. The secret is not an argument, because other users can read a
 * process's arguments.
 *
 * Runs on: main.
 */

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { invalidOption } from "../definition-checks.ts";
import { nearestHint } from "../nearest-name.ts";

/** Actions of `simurgh token`. */
export type TokenAction = "sign" | "encrypt" | "verify" | "decrypt";

/** Parsed arguments. */
export interface TokenArguments {
  readonly action: TokenAction;
  /** Data or a token; undefined to read it from standard input. */
  readonly subject: string | undefined;
  readonly salt: string;
  readonly secretFile: string | undefined;
  /** Options for Token, not yet checked. */
  readonly options: Readonly<Record<string, number | string>>;
}

const ACTIONS: readonly string[] = ["sign", "encrypt", "verify", "decrypt"] satisfies TokenAction[];
/** Options of Token, by flag. */
const OPTION_OF_FLAG: Readonly<Record<string, string>> = {
  "max-age-ms": "maxAgeMs",
  "signed-at-ms": "signedAtMs",
  "key-digest": "keyDigest",
  "key-iterations": "keyIterations",
  "key-length": "keyLength",
};
const FLAGS = ["salt", "secret-file", ...Object.keys(OPTION_OF_FLAG)];
const NUMBER = /^-?\d+(\.\d+)?$/;
const SECRET_VARIABLE = "SIMURGH_SECRET_KEY_BASE";

/**
 * Parses the arguments.
 *
 * @throws SIM_ERR_OPTION_INVALID for arguments that `--help` does not list
 */
export function parseTokenArguments(args: readonly string[]): TokenArguments {
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options: Object.fromEntries(FLAGS.map((name) => [name, { type: "string" }] as const)),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const values = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === "option") values.set(...flagOf(token.name, token.rawName, token.value));
  }
  const [action = "", subject, ...rest] = positionals;
  if (!isAction(action)) {
    throw invalidOption(
      `token action must be one of ${ACTIONS.join(", ")}, got ${action || "none"}`,
    );
  }
  if (rest.length > 0)
    throw invalidOption(
      `${action} must be given one argument, got ${positionals.slice(1).join(" ")}`,
    );
  const isRead = action === "verify" || action === "decrypt";
  if (isRead && values.has("signed-at-ms")) {
    throw invalidOption(`${action} must be given options for reading a token, got --signed-at-ms`);
  }
  const salt = values.get("salt");
  if (salt === undefined)
    throw invalidOption("--salt must be given (the purpose of the token), got none");
  return {
    action,
    subject: subject === "-" ? undefined : subject,
    salt,
    secretFile: values.get("secret-file"),
    options: optionsOf(values),
  };
}

/**
 * Returns the secret from the given file or, if no file is given, from the environment.
 *
 * @throws SIM_ERR_OPTION_INVALID if there is no secret
 */
export function secretOf(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const secret = file === undefined ? environment[SECRET_VARIABLE] : contentOf(file);
  if (secret !== undefined && secret !== "") return secret;
  throw invalidOption(
    `${file ?? SECRET_VARIABLE} must contain the secret (or use --secret-file), got none`,
  );
}

/**
 * Replaces the option name at the start of an error message with the flag or variable that set it.
 */
export function withTypedNames(error: unknown, secretFile: string | undefined): unknown {
  if (!(error instanceof Error)) return error;
  const [subject = ""] = error.message.split(" ", 1);
  const flag = Object.keys(OPTION_OF_FLAG).find((name) => OPTION_OF_FLAG[name] === subject);
  const secret = secretFile === undefined ? SECRET_VARIABLE : `secret in ${secretFile}`;
  const typed = flag === undefined ? subject : `--${flag}`;
  const name = subject === "secretKeyBase" ? secret : typed;
  error.message = name + error.message.slice(subject.length);
  return error;
}

function contentOf(file: string): string {
  try {
    // Editors add a line break at the end.
    return readFileSync(file, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    const got = error instanceof Error && "code" in error ? String(error.code) : "an error";
    throw invalidOption(`--secret-file must be a readable file, got ${got} for ${file}`);
  }
}

function optionsOf(values: ReadonlyMap<string, string>): Record<string, number | string> {
  const options: Record<string, number | string> = {};
  for (const [flag, option] of Object.entries(OPTION_OF_FLAG)) {
    const value = values.get(flag);
    if (value !== undefined) options[option] = flag === "key-digest" ? value : number(flag, value);
  }
  return options;
}

function number(flag: string, value: string): number {
  if (flag === "max-age-ms" && value === "infinity") return Infinity;
  if (NUMBER.test(value)) return Number(value);
  const rule = flag === "max-age-ms" ? "be a number or infinity" : "be a number";
  throw invalidOption(`--${flag} must ${rule}, got ${JSON.stringify(value)}`);
}

function flagOf(name: string, rawName: string, value: string | undefined): [string, string] {
  if (!FLAGS.includes(name)) {
    const hint = nearestHint(
      rawName,
      [...FLAGS, "help"].map((flag) => `--${flag}`),
    );
    throw invalidOption(`option must be listed by \`simurgh token --help\`, got ${rawName}${hint}`);
  }
  if (value === undefined) throw invalidOption(`${rawName} must be followed by a value, got none`);
  return [name, value];
}

function isAction(text: string): text is TokenAction {
  return ACTIONS.includes(text);
}
