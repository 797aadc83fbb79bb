/**
 * Arguments of `simurgh token`. The secret is not an argument, since others can read arguments.
 *
 * Runs on: main.
 */

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { makeError, type SimurghError } from "../errors.ts";

/** Actions of `simurgh token`. */
export type TokenAction = "sign" | "encrypt" | "verify" | "decrypt";

/** Parsed arguments. */
export interface TokenArguments {
  readonly action: TokenAction;
  /** Data or a token; undefined if it is read from standard input. */
  readonly subject: string | undefined;
  readonly salt: string;
  readonly secretFile: string | undefined;
  /** Options for Token, not yet checked. */
  readonly options: Readonly<Record<string, number | string>>;
}

const ACTIONS: readonly string[] = ["sign", "encrypt", "verify", "decrypt"] satisfies TokenAction[];
/** Options of Token, by flag. */
const OPTION_OF_FLAG: Readonly<Record<string, string>> = {
  "max-age": "maxAge",
  "signed-at": "signedAt",
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
    throw invalid("token action", `be one of ${ACTIONS.join(", ")}`, action || "none");
  }
  if (rest.length > 0) {
    throw invalid(action, "be given one argument", positionals.slice(1).join(" "));
  }
  const isRead = action === "verify" || action === "decrypt";
  if (isRead && values.has("signed-at")) {
    throw invalid(action, "be given options for reading a token", "--signed-at");
  }
  const salt = values.get("salt");
  if (salt === undefined) throw invalid("--salt", "be given (the purpose of the token)", "none");
  return {
    action,
    subject: subject === "-" ? undefined : subject,
    salt,
    secretFile: values.get("secret-file"),
    options: optionsOf(values),
  };
}

/**
 * Returns the secret from its file or, without a file, from the environment.
 *
 * @throws SIM_ERR_OPTION_INVALID if there is none
 */
export function secretOf(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const secret = file === undefined ? environment[SECRET_VARIABLE] : contentOf(file);
  if (secret !== undefined && secret !== "") return secret;
  throw invalid(file ?? SECRET_VARIABLE, "contain the secret (or use --secret-file)", "none");
}

/** Replaces the name of Token's option in an error message with the flag or variable. */
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
    throw invalid("--secret-file", "be a readable file", `${got} for ${file}`);
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
  if (flag === "max-age" && value === "infinity") return Infinity;
  if (NUMBER.test(value)) return Number(value);
  const rule = flag === "max-age" ? "be a number or infinity" : "be a number";
  throw invalid(`--${flag}`, rule, JSON.stringify(value));
}

function flagOf(name: string, rawName: string, value: string | undefined): [string, string] {
  if (!FLAGS.includes(name)) {
    throw invalid("option", "be listed by `simurgh token --help`", rawName);
  }
  if (value === undefined) throw invalid(rawName, "be followed by a value", "none");
  return [name, value];
}

function isAction(text: string): text is TokenAction {
  return ACTIONS.includes(text);
}

function invalid(subject: string, rule: string, got: string): SimurghError {
  return makeError("SIM_ERR_OPTION_INVALID", `${subject} must ${rule}, got ${got}`);
}
