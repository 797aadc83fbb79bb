/**
 * Command line flags, generated from the table of options: `--ring-bytes` sets `ringBytes`.
 *
 * A flag overrides its environment variable and is checked in the same way. Secrets have no flags,
 * because anyone on the machine can read the arguments of a process.
 *
 * Runs on: main.
 */

import { parseArgs } from "node:util";

import { invalidOption } from "../definition-checks.ts";
import { nearestHint } from "../nearest-name.ts";
import { resolveOptions } from "../options/resolution.ts";
import { OPTIONS, type OptionName, type ResolvedOptions } from "../options/options.ts";
import { availableCpus } from "../server/cpu-quota.ts";
import { descriptorLimit } from "../server/descriptors.ts";
import { availableMemory } from "../server/memory-limit.ts";

/** A flag. */
export interface Flag {
  /** The flag as typed, such as `--ring-bytes`. */
  readonly flag: string;
  readonly option: OptionName;
  readonly variable: string;
}

/** Parsed arguments of a command. */
export interface Arguments {
  readonly positionals: readonly string[];
  /** The help that they ask for: the usual options or all; undefined for none. */
  readonly help: "usual" | "all" | undefined;
  /** Switches that were given. */
  readonly switches: readonly string[];
  /** Values of flags, by environment variable. */
  readonly variables: Readonly<Record<string, string>>;
}

const NAMES = Object.keys(OPTIONS) as OptionName[];
const SECRETS = NAMES.filter((option) => "secret" in OPTIONS[option]);

/** Every flag, in the order of the table. */
export const FLAGS: readonly Flag[] = NAMES.filter((option) => !SECRETS.includes(option)).map(
  (option) => ({ flag: flagOf(option), option, variable: OPTIONS[option].env }),
);

/**
 * Parses the arguments of a command.
 *
 * @param switches - additional flags of the command that have no value, such as `watch`
 * @throws SIM_ERR_OPTION_INVALID for an unknown flag, or a flag with a missing value
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
      "help-all": { type: "boolean" },
    },
    allowPositionals: true,
    // Not strict, because the parser's own error messages span several lines and omit valid ranges.
    strict: false,
    tokens: true,
  });
  const variables: Record<string, string> = {};
  const given: string[] = [];
  let help: Arguments["help"];
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    if (token.name === "help") help ??= "usual";
    else if (token.name === "help-all") help = "all";
    else if (switches.includes(token.name)) given.push(token.name);
    else
      variables[variableOf(command, token.rawName, switches)] = valueOf(token.rawName, token.value);
  }
  return { positionals, help, switches: given, variables };
}

/**
 * Returns the options for a server. Flags override the environment, which overrides `defaults`.
 *
 * @param defaults - values of variables that are set neither by a flag nor in the environment
 * @throws SIM_ERR_OPTION_INVALID, naming the flag or the environment variable
 */
export function optionsOf(
  { variables }: Arguments,
  environment: Readonly<Record<string, string | undefined>>,
  defaults: Readonly<Record<string, string>> = {},
): ResolvedOptions {
  const given = { ...defaults, ...environment, ...variables };
  try {
    // The server generates the secret, with a warning, and the node name.
    const automatic = {
      parallelism: availableCpus,
      descriptorLimit,
      memoryLimit: availableMemory,
      secretKeyBase: auto,
      nodeName: auto,
    };
    return resolveOptions({}, given, automatic);
  } catch (error) {
    throw withFlagName(error, variables);
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
  const names = [
    ...FLAGS.map(({ flag }) => flag),
    ...[...switches, "help-all"].map((name) => `--${name}`),
  ];
  const hint = secretHint(rawName) ?? nearestHint(rawName, names);
  throw invalidOption(
    `option must be listed by \`simurgh ${command} --help-all\`, got ${rawName}${hint}`,
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

/** Replaces the variable in an error message with the flag that set it. */
function withFlagName(error: unknown, variables: Readonly<Record<string, string>>): unknown {
  if (!(error instanceof Error)) return error;
  const [subject = ""] = error.message.split(" ", 1);
  const flag = FLAGS.find(({ variable }) => variable === subject && variable in variables);
  if (flag) error.message = flag.flag + error.message.slice(subject.length);
  return error;
}
