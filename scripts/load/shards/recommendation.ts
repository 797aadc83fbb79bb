/**
 * Recommends a value for one dimension of a sweep, with reasons. Pure functions.
 *
 * The default stays unless another value is better in one figure, worse in none, and does not look
 * worse in runs that cannot be compared. A value that is better in one figure and worse in another
 * is a trade-off, which is left to the user.
 *
 * Runs on: the sweep's process.
 */

import { formatMs, formatRate, formatUs } from "../charts/formats.ts";
import {
  FIGURES,
  FIGURE_NAMES,
  figuresOf,
  looksWorse,
  middleOf,
  relate,
  type FigureName,
  type Relation,
} from "./comparison.ts";
import { DIMENSIONS, type Dimension } from "./dimensions.ts";
import type { Turn } from "./turn.ts";

/** The turns of one dimension, by value. */
export interface Measured {
  readonly dimension: Dimension;
  readonly turns: Readonly<Record<string, readonly Turn[]>>;
}

/** A recommendation. */
export interface Recommendation {
  /** Undefined if too few runs can be compared. */
  readonly value: string | undefined;
  /** A sentence about the choice, followed by a sentence about each other value. */
  readonly reasons: readonly string[];
}

type Relations = Readonly<Record<FigureName, Relation>>;

/** Recommends a value. */
export function recommend(measured: Measured): Recommendation {
  const { dimension } = measured;
  const { variable } = DIMENSIONS[dimension.name];
  const others = dimension.values.filter((value) => value !== dimension.fallback);
  const relations = new Map(others.map((value) => [value, relationsOf(measured, value)]));
  const isKnown = [...relations.values()].some(
    (one) => count(one, "unknown") < FIGURE_NAMES.length,
  );
  const chosen = others
    .filter((value) => isGain(relations.get(value)) && doubtsOf(measured, value).length === 0)
    .toSorted((left, right) => rank(measured, left) - rank(measured, right))[0];
  const details = others.map((value) => describe(measured, value, relations.get(value)));
  if (!isKnown && others.length > 0) {
    const text = `Nothing can be recommended for ${variable}: too few runs can be compared. Measure on an otherwise idle machine.`;
    return { value: undefined, reasons: [text, ...details] };
  }
  const choice =
    chosen === undefined
      ? `${variable}=${dimension.fallback}, the default: no other value was better without being worse in another figure.`
      : `${variable}=${chosen} instead of the default ${dimension.fallback}: better beyond noise, and worse in nothing.`;
  return { value: chosen ?? dimension.fallback, reasons: [choice, ...details] };
}

function relationsOf({ dimension, turns }: Measured, value: string): Relations {
  const [own, fallback] = [turns[value] ?? [], turns[dimension.fallback] ?? []];
  const pairs = FIGURE_NAMES.map((name) => [name, relate(name, own, fallback)]);
  return Object.fromEntries(pairs) as Relations;
}

function count(relations: Relations, relation: Relation): number {
  return FIGURE_NAMES.filter((name) => relations[name] === relation).length;
}

function isGain(relations: Relations | undefined): boolean {
  return (
    relations !== undefined && count(relations, "better") > 0 && count(relations, "worse") === 0
  );
}

/** Returns the figures in which a value looks worse than the default, in runs that cannot be compared. */
function doubtsOf({ dimension, turns }: Measured, value: string): readonly FigureName[] {
  const [own, fallback] = [turns[value] ?? [], turns[dimension.fallback] ?? []];
  return FIGURE_NAMES.filter(
    (name) => relate(name, own, fallback) === "unknown" && looksWorse(name, own, fallback),
  );
}

/** Ranks a value by the first figure in which it differs from the default; lower is better. */
function rank({ dimension, turns }: Measured, value: string): number {
  for (const name of FIGURE_NAMES) {
    if (relate(name, turns[value] ?? [], turns[dimension.fallback] ?? []) !== "better") continue;
    const own = middleOf(figuresOf(name, turns[value] ?? [])) ?? 0;
    const theirs = middleOf(figuresOf(name, turns[dimension.fallback] ?? [])) ?? 1;
    return (
      FIGURE_NAMES.indexOf(name) * 1_000 +
      (FIGURES[name].isMoreBetter ? theirs / own : own / theirs)
    );
  }
  return Number.MAX_SAFE_INTEGER;
}

/** Formats a figure with its unit. */
export function showFigure(name: FigureName, value: number): string {
  if (name === "throughput") return formatRate(value);
  return name === "cpu" ? formatUs(value) : formatMs(value / 1_000);
}

function describe(measured: Measured, value: string, relations: Relations | undefined): string {
  const { dimension, turns } = measured;
  const doubts = doubtsOf(measured, value);
  const parts = FIGURE_NAMES.map((name) => {
    const relation = relations?.[name] ?? "unknown";
    const { title } = FIGURES[name];
    if (relation === "tie") return `${title} a tie`;
    const [own, theirs] = [value, dimension.fallback].map((of) =>
      showMiddle(name, turns[of] ?? []),
    );
    if (relation !== "unknown") return `${title} ${relation} (${own}, not ${theirs})`;
    const looks = doubts.includes(name) ? ", but looks worse" : "";
    return `${title} not comparable${looks} (${own} and ${theirs})`;
  });
  const isBetter = relations !== undefined && count(relations, "better") > 0;
  const isWorse = relations !== undefined && count(relations, "worse") > 0;
  const isTrade = isBetter && (isWorse || doubts.length > 0);
  return `${value} against ${dimension.fallback}: ${parts.join(", ")}${isTrade ? "; a trade" : ""}.`;
}

function showMiddle(name: FigureName, turns: readonly Turn[]): string {
  const figures = figuresOf(name, turns);
  const bounds = figures.filter(({ isLowerBound }) => isLowerBound).map(({ value }) => value);
  const middle = middleOf(figures);
  if (bounds.length === 0) return middle === null ? "none" : showFigure(name, middle);
  if (middle !== null) return `at least ${showFigure(name, middle)}`;
  const most = showFigure(name, Math.max(...bounds));
  return `at least ${most}, as the generator ended ${bounds.length} of ${figures.length} runs`;
}
