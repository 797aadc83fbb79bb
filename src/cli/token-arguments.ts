/**
 * Arguments of `simurgh token`. A secret is none of them: anyone on the machine can read those.
 *
 * Runs on: main.
 */

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { invalidOption } from "../definition-checks.ts";
import { nearestHint } from "../nearest-name.ts";

/** What may be done with a token. */
export type TokenAction = "sign" | "encrypt" | "verify" | "decrypt";

/** Arguments, taken apart; the values of options as they were typed. */
export interface TokenArguments {
  readonly action: TokenAction;
  /** Data or a token; undefined where it comes from standard input. */
  readonly subject: string | undefined;
  readonly salt: string;
  readonly secretFile: string | undefined;
  /** Options of Token, by their names. */
  readonly options: Readonly<Record<string, number | string>>;
}

const ACTIONS: readonly string[] = ["sign", "encrypt", "verify", "decrypt"] satisfies TokenAction[];
/** Flags whose values are Token's options. */
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
 * Takes the arguments apart.
 *
 * @throws SIM_ERR_OPTION_INVALID for what `--help` does not list
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
      `token must have an action of ${ACTIONS.join(", ")}, got ${action || "none"}`,
    );
  }
  if (rest.length > 0)
    throw invalidOption(`${action} must have one argument, got ${positionals.slice(1).join(" ")}`);
  const isRead = action === "verify" || action === "decrypt";
  if (isRead && values.has("signed-at-ms")) {
    throw invalidOption(`${action} must have its own options, got --signed-at-ms`);
  }
  const salt = values.get("salt");
  if (salt === undefined)
    throw invalidOption("--salt must be given (what the token is for), got none");
  return {
    action,
    subject: subject === "-" ? undefined : subject,
    salt,
    secretFile: values.get("secret-file"),
    options: optionsOf(values),
  };
}

/**
 * Gives the secret from its file, or else from the environment.
 *
 * @throws SIM_ERR_OPTION_INVALID where there is none
 */
export function secretOf(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const secret = file === undefined ? environment[SECRET_VARIABLE] : contentOf(file);
  if (secret !== undefined && secret !== "") return secret;
  throw invalidOption(
    `${file ?? SECRET_VARIABLE} must have the secret (or --secret-file), got none`,
  );
}

/** Names flag or variable where a message has the name of Token's option. */
export function namedAsTyped(error: unknown, secretFile: string | undefined): unknown {
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
    // Editors end a file with a line break.
    return readFileSync(file, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    const got = error instanceof Error && "code" in error ? String(error.code) : "an error";
    throw invalidOption(`--secret-file must be a file that can be read, got ${got} for ${file}`);
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
    throw invalidOption(
      `option must be one that \`simurgh token --help\` lists, got ${rawName}${hint}`,
    );
  }
  if (value === undefined) throw invalidOption(`${rawName} must be followed by a value, got none`);
  return [name, value];
}

function isAction(text: string): text is TokenAction {
  return ACTIONS.includes(text);
}
