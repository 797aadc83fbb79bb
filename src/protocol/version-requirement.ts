/**
 * Version requirements in Elixir's syntax: `~> 2.0.0`, `>= 1.0.0 and < 2.0.0`, `1.0.0`.
 *
 *   ~> 2.1.3   2.1.3 or later, before 2.2.0 and its pre-releases
 *   ~> 2.1     2.1.0 or later, before 3.0.0 and its pre-releases
 *   == != > >= < <=, where `and` has precedence over `or`; a version without an operator means ==
 *
 * Runs on: any thread. Pure.
 */

/** A semantic version. */
export interface Version {
  readonly numbers: readonly [major: number, minor: number, patch: number];
  /** Identifiers of the pre-release; empty for a release. */
  readonly pre: readonly (number | string)[];
}

/** Reports whether a version meets a requirement. */
export type Requirement = (version: Version) => boolean;

const NUMBER = "(0|[1-9]\\d*)";
const PRE = "(?:-([\\dA-Za-z-]+(?:\\.[\\dA-Za-z-]+)*))?";
const BUILD = "(?:\\+[\\dA-Za-z.-]+)?";
const VERSION = new RegExp(`^${NUMBER}\\.${NUMBER}\\.${NUMBER}${PRE}${BUILD}$`);
const TWO_PARTS = new RegExp(`^${NUMBER}\\.${NUMBER}$`);
const COMPARISON = /^(==|!=|>=|<=|>|<|~>)?\s*(\S+)$/;
const NUMERIC = /^(?:0|[1-9]\d*)$/;
/** The lowest pre-release. Versions below `2.2.0-0` do not include pre-releases of 2.2.0. */
const LOWEST_PRE = [0];

/** Parses a version; returns undefined if it is invalid. */
export function tryVersion(text: string): Version | undefined {
  const match = VERSION.exec(text);
  if (!match) return undefined;
  const [, major, minor, patch, pre] = match;
  return {
    numbers: [Number(major), Number(minor), Number(patch)],
    pre: pre === undefined ? [] : pre.split(".").map(identifierOf),
  };
}

/** Parses a requirement; returns undefined if it is invalid. */
export function tryRequirement(text: string): Requirement | undefined {
  const choices = text.split(/\bor\b/).map((choice) => choice.split(/\band\b/).map(tryComparison));
  if (choices.flat().includes(undefined)) return undefined;
  return (version) => choices.some((all) => all.every((holds) => holds?.(version) === true));
}

function tryComparison(text: string): Requirement | undefined {
  const [, operator = "==", wanted = ""] = COMPARISON.exec(text.trim()) ?? [];
  if (operator === "~>") return tryApproximate(wanted);
  const other = tryVersion(wanted);
  if (!other) return undefined;
  const holds = OPERATORS[operator as keyof typeof OPERATORS];
  return (version) => holds(compare(version, other));
}

const OPERATORS = {
  "==": (order: number): boolean => order === 0,
  "!=": (order: number): boolean => order !== 0,
  ">": (order: number): boolean => order > 0,
  ">=": (order: number): boolean => order >= 0,
  "<": (order: number): boolean => order < 0,
  "<=": (order: number): boolean => order <= 0,
} as const;

function tryApproximate(wanted: string): Requirement | undefined {
  const hasTwoParts = TWO_PARTS.test(wanted);
  const least = tryVersion(hasTwoParts ? `${wanted}.0` : wanted);
  if (!least) return undefined;
  const [major, minor] = least.numbers;
  const end: Version = {
    numbers: hasTwoParts ? [major + 1, 0, 0] : [major, minor + 1, 0],
    pre: LOWEST_PRE,
  };
  return (version) => compare(version, least) >= 0 && compare(version, end) < 0;
}

/** Compares two versions, for sorting (semver §11). */
function compare(one: Version, other: Version): number {
  for (const [at, number] of one.numbers.entries()) {
    const order = number - (other.numbers[at] as number);
    if (order !== 0) return order;
  }
  if (one.pre.length === 0 || other.pre.length === 0) return other.pre.length - one.pre.length;
  for (const [at, identifier] of one.pre.entries()) {
    const order = compareIdentifiers(identifier, other.pre[at]);
    if (order !== 0) return order;
  }
  return one.pre.length - other.pre.length;
}

function compareIdentifiers(one: number | string, other: number | string | undefined): number {
  if (other === undefined) return 1;
  if (typeof one === "number" && typeof other === "number") return one - other;
  // Numeric identifiers sort before alphanumeric ones.
  if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function identifierOf(text: string): number | string {
  return NUMERIC.test(text) ? Number(text) : text;
}
