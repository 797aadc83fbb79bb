/**
 * Resolves the options of a server: from code, then from the environment, then from the defaults.
 *
 * Runs on: the main thread, once, before anything starts. Shards receive the result.
 */

import { getHeapStatistics } from "node:v8";

import { invalidOption } from "../definition-checks.ts";
import { nearestHint } from "../nearest-name.ts";
import {
  checkInteger,
  checkText,
  integerOf,
  type IntegerOption,
  type TextOption,
} from "./values.ts";
import {
  NO_FILE,
  OPTIONS,
  type OptionName,
  type Options,
  type ResolvedOptions,
} from "./options.ts";
import { checkVariables, isServiceAddress } from "./variables.ts";

/**
 * Number of members besides the shards and the keepers of histories: main, the link, and a spare for
 * replacing a shard.
 */
export const EXTRA_MEMBERS = 3;

/** Returns the number of members of a node, whether or not they have threads. */
export function memberCount({
  shards,
  historyThreads,
}: Pick<ResolvedOptions, "shards" | "historyThreads">): number {
  return shards + EXTRA_MEMBERS + historyThreads;
}

/** Provides the defaults that depend on the machine. */
export interface AutomaticValues {
  /** Number of CPUs available to this process, taking the container's quota into account. */
  readonly parallelism: () => number;
  /** How many file descriptors the process may have. */
  readonly descriptorLimit: () => number;
  /** Memory of the container or the machine (bytes). */
  readonly memoryLimit: () => number;
  readonly secretKeyBase: () => string;
  /** Returns a unique name. */
  readonly nodeName: () => string;
}

const LOG_QUEUE_MIB = 16;
const RINGS_TOTAL_BYTES = 268_435_456;
const AUTOMATIC_HEAP_SHARE = 0.6;
/** Part of the memory that buffers may take. */
const AUTOMATIC_BUFFER_SHARE = 1 / 4;
/** Part of the memory that the process may take. */
const AUTOMATIC_RESIDENT_SHARE = 0.85;
const AUTOMATIC_IDLE_CONNECTIONS = 16_384;
const MIB = 1_048_576;
/** Above 2 GiB, the garbage collector lets a heap grow to more than twice the memory in use. */
const AUTOMATIC_HEAP_MB = 2_000;

/**
 * Checks all names and values, and fills in the defaults.
 *
 * @param given - options passed to `serve`
 * @param environment - usually `process.env`
 * @throws SIM_ERR_OPTION_INVALID if an option or a variable is unknown, or its value is out of
 *   range
 */
export function resolveOptions(
  given: Options,
  environment: Readonly<Record<string, string | undefined>>,
  automatic: AutomaticValues,
): ResolvedOptions {
  checkNames(given);
  checkVariables(environment);
  const resolved: Record<string, number | string> = {};
  for (const name of Object.keys(OPTIONS) as OptionName[]) {
    const option: IntegerOption | TextOption = OPTIONS[name];
    resolved[name] = resolveOne(
      subjectOf(name, given[name], environment),
      option,
      given[name],
      environment[option.env],
    );
  }
  if (resolved["shards"] === "auto") resolved["shards"] = automatic.parallelism();
  if (resolved["taskThreads"] === "auto") {
    resolved["taskThreads"] = Math.max(1, automatic.parallelism() - 1);
  }
  resolveConnections(resolved, automatic);
  resolveMemory(resolved, automatic);
  if (resolved["oldGenerationMb"] === "auto") {
    // By default, each worker may use as much memory as the main thread.
    const { heap_size_limit: limit } = getHeapStatistics();
    resolved["oldGenerationMb"] = Math.min(Math.floor(limit / MIB), AUTOMATIC_HEAP_MB);
  }
  if (resolved["overloadHeapBytes"] === "auto") {
    const heapBytes = Number(resolved["oldGenerationMb"]) * MIB;
    resolved["overloadHeapBytes"] = Math.round(heapBytes * AUTOMATIC_HEAP_SHARE);
  }
  if (resolved["presenceDownMs"] === "auto") {
    const { presencePeriodMs, presenceSilentPeriods } = resolved as Record<string, number>;
    resolved["presenceDownMs"] = automaticDownMs(
      Number(presencePeriodMs),
      Number(presenceSilentPeriods),
    );
  }
  if (resolved["nodeName"] === "auto") resolved["nodeName"] = automatic.nodeName();
  if (resolved["secretKeyBase"] === "auto") resolved["secretKeyBase"] = automatic.secretKeyBase();
  resolveQueues(resolved, memberCount(resolved as ResolvedOptions));
  const result = resolved as ResolvedOptions;
  const nameOf = (name: OptionName): string => subjectOf(name, given[name], environment);
  checkTotalHoldsPair(result, nameOf);
  checkTlsPair(result, nameOf);
  return Object.freeze(result);
}

/** Fills in the sizes of the queues of a number of threads. */
function resolveQueues(resolved: Record<string, number | string>, threads: number): void {
  if (resolved["ringBytes"] === "auto") resolved["ringBytes"] = automaticRingBytes(threads);
  if (resolved["logQueueBytes"] === "auto") {
    resolved["logQueueBytes"] = Math.min(threads, LOG_QUEUE_MIB) * MIB;
  }
}

/** Fills in the limits of connections. */
function resolveConnections(
  resolved: Record<string, number | string>,
  automatic: AutomaticValues,
): void {
  if (resolved["maxConnections"] === "auto") {
    const limit = automatic.descriptorLimit();
    const reserved = reservedDescriptors(limit, resolved["shards"] as number);
    resolved["maxConnections"] = Math.max(limit - reserved, 1);
  }
  if (resolved["maxIdleConnections"] === "auto") {
    const { maxConnections } = resolved as Record<string, number>;
    resolved["maxIdleConnections"] = Math.min(Number(maxConnections), AUTOMATIC_IDLE_CONNECTIONS);
  }
  if (resolved["maxUnjoinedConnections"] === "auto") {
    const { maxConnections } = resolved as Record<string, number>;
    resolved["maxUnjoinedConnections"] = Math.max(1, Math.floor(Number(maxConnections) / 2));
  }
}

/** Fills in the limits of memory. */
function resolveMemory(
  resolved: Record<string, number | string>,
  automatic: AutomaticValues,
): void {
  if (resolved["maxBufferBytes"] === "auto") {
    const bytes = Math.floor(automatic.memoryLimit() * AUTOMATIC_BUFFER_SHARE);
    resolved["maxBufferBytes"] = Math.max(bytes, OPTIONS.maxBufferBytes.min);
  }
  if (resolved["maxResidentBytes"] === "auto") {
    const bytes = Math.floor(automatic.memoryLimit() * AUTOMATIC_RESIDENT_SHARE);
    resolved["maxResidentBytes"] = Math.max(bytes, OPTIONS.maxResidentBytes.min);
  }
}

function checkNames(given: object): void {
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(OPTIONS, name));
  if (unknown === undefined) return;
  const hint = nearestHint(unknown, Object.keys(OPTIONS));
  throw invalidOption(`option must be a server option, got ${unknown}${hint}`);
}

function resolveOne(
  subject: string,
  option: IntegerOption | TextOption,
  own: unknown,
  text: string | undefined,
): number | string {
  if (own === undefined && subject === OPTIONS.port.env && isServiceAddress(text)) {
    throw invalidOption(
      `${subject} must be a port, got ${text}, which Kubernetes and Docker set for a service named simurgh; set ${subject} explicitly, or enableServiceLinks: false`,
    );
  }
  if (option.kind === "text") return checkText(subject, option, own ?? text ?? option.default);
  const value = own ?? (text === undefined ? option.default : integerOf(text));
  return checkInteger(subject, option, value);
}

/**
 * Returns how many of the process's descriptors connections do not use by default: for the threads, for
 * files and connections of user code, and for what the engine accepts before it stops.
 */
export function reservedDescriptors(limit: number, shards: number): number {
  return 32 + 16 * shards + Math.min(Math.floor(limit / 8), 1_024);
}

/** Returns the default capacity of a ring for a number of members, a power of two. */
export function automaticRingBytes(members: number): number {
  const share = RINGS_TOTAL_BYTES / (members * members);
  const floor = 2 ** Math.floor(Math.log2(share));
  return Math.min(Math.max(floor, 65_536), 1_048_576);
}

/** Returns the default down period (ms): twice the time that a replica may be silent. */
export function automaticDownMs(periodMs: number, silentPeriods: number): number {
  // Heartbeats are up to silentPeriods + 1 periods apart, and may be late.
  return periodMs * Math.max(2 * silentPeriods, silentPeriods + 2);
}

function checkTotalHoldsPair(
  { overflowBytes, overflowTotalBytes }: ResolvedOptions,
  nameOf: (name: OptionName) => string,
): void {
  if (overflowTotalBytes >= overflowBytes) return;
  const [total, pair] = [nameOf("overflowTotalBytes"), nameOf("overflowBytes")];
  throw invalidOption(
    `${total} must be at least ${pair} (${overflowBytes} bytes), got ${overflowTotalBytes} (bytes)`,
  );
}

function checkTlsPair(
  { tlsCert, tlsKey }: ResolvedOptions,
  nameOf: (name: OptionName) => string,
): void {
  if ((tlsCert === NO_FILE) === (tlsKey === NO_FILE)) return;
  const [given, missing] = tlsCert === NO_FILE ? ["tlsKey", "tlsCert"] : ["tlsCert", "tlsKey"];
  const { env } = OPTIONS[missing as OptionName];
  throw invalidOption(
    `${nameOf(given as OptionName)} must be set together with ${missing} (${env}), got it alone`,
  );
}

/** Returns an option's name for error messages: its variable if the value was set there. */
function subjectOf(
  name: OptionName,
  own: unknown,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const { env } = OPTIONS[name];
  return own === undefined && environment[env] !== undefined ? env : name;
}
