/**
 * Flags of the command line, made from the table of options: `--ring-bytes` is `ringBytes`.
 *
 * A flag stands in for its environment variable, and is checked as that is. A secret has no
 * flag: anyone on the machine can read the arguments of a process.
 *
 * Runs on: main.
 */

import { parseArgs } from "node:util";

import { invalidOption } from "../definition-checks.ts";
import { nearestHint } from "../nearest-name.ts";
import { resolveOptions } from "../options/resolution.ts";
import { OPTIONS, type OptionName, type Options } from "../options/options.ts";
import { availableCpus } from "../server/cpu-quota.ts";

/** One flag. */
export interface Flag {
  /** As it is typed, as in `--ring-bytes`. */
  readonly flag: string;
  readonly option: OptionName;
  readonly variable: string;
}

/** Arguments of a command, taken apart. */
export interface Arguments {
  readonly positionals: readonly string[];
  readonly isHelp: boolean;
  /** Those of its switches that were given. */
  readonly switches: readonly string[];
  /** By environment variable: what its flag says. */
  readonly variables: Readonly<Record<string, string>>;
}

const NAMES = Object.keys(OPTIONS) as OptionName[];
const SECRETS = NAMES.filter((option) => "secret" in OPTIONS[option]);

/** Every flag, in the order of the table. */
export const FLAGS: readonly Flag[] = NAMES.filter((option) => !SECRETS.includes(option)).map(
  (option) => ({ flag: flagOf(option), option, variable: OPTIONS[option].env }),
);

/**
 * Takes the arguments of a command apart.
 *
 * @param switches - flags of the command's own that take no value, as in `watch`
 * @throws SIM_ERR_OPTION_INVALID for a flag that there is not, or that has no value
 */
export function parseArguments(
  command: string,
  args: readonly string[],
  switches: readonly string[] = [],
): Arguments {
  const toggles = switches.map((name) => [name, { type: "boolean" }] as const);
  const names = FLAGS.map(({ flag }) => [flag.slice(2), { type: "string" }] as const);
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options: {
      ...Object.fromEntries(names),
      ...Object.fromEntries(toggles),
      help: { type: "boolean", short: "h" },
    },
    allowPositionals: true,
    // Its own messages are of several lines, and say nothing of our ranges.
    strict: false,
    tokens: true,
  });
  const variables: Record<string, string> = {};
  const given: string[] = [];
  let isHelp = false;
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    if (token.name === "help") isHelp = true;
    else if (switches.includes(token.name)) given.push(token.name);
    else
      variables[variableOf(command, token.rawName, switches)] = valueOf(token.rawName, token.value);
  }
  return { positionals, isHelp, switches: given, variables };
}

/**
 * Gives the options for a server: flags win over the environment, that over `defaults`.
 *
 * @param defaults - by variable, what holds where neither says anything
 * @throws SIM_ERR_OPTION_INVALID naming the flag, or else the variable
 */
export function optionsOf(
  { variables }: Arguments,
  environment: Readonly<Record<string, string | undefined>>,
  defaults: Readonly<Record<string, string>> = {},
): Options {
  const given = { ...defaults, ...environment, ...variables };
  try {
    // The server makes the secret itself, and warns; and its name.
    const automatic = { parallelism: availableCpus, secretKeyBase: auto, nodeName: auto };
    return resolveOptions({}, given, automatic);
  } catch (error) {
    throw named(error, variables);
  }
}

function auto(): string {
  return "auto";
}

function flagOf(option: OptionName): string {
  return `--${option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function variableOf(command: string, rawName: string, switches: readonly string[]): string {
  const known = FLAGS.find(({ flag }) => flag === rawName);
  if (known) return known.variable;
  const names = [...FLAGS.map(({ flag }) => flag), ...switches.map((name) => `--${name}`)];
  const hint = secretHint(rawName) ?? nearestHint(rawName, names);
  throw invalidOption(
    `option must be one that \`simurgh ${command} --help\` lists, got ${rawName}${hint}`,
  );
}

function secretHint(rawName: string): string | undefined {
  const secret = SECRETS.find((option) => flagOf(option) === rawName);
  return secret && `; a secret has no flag, set ${OPTIONS[secret].env}`;
}

function valueOf(rawName: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw invalidOption(`${rawName} must be followed by a value, got none`);
}

/** Names the flag where the message has the variable that it stood in for. */
function named(error: unknown, variables: Readonly<Record<string, string>>): unknown {
  if (!(error instanceof Error)) return error;
  const [subject = ""] = error.message.split(" ", 1);
  const flag = FLAGS.find(({ variable }) => variable === subject && variable in variables);
  if (flag) error.message = flag.flag + error.message.slice(subject.length);
  return error;
}
