/**
 * Decides whether one setting is better than another by more than noise. Pure functions.
 *
 * Runs on: the sweep's process.
 */

import { median } from "../../bench/comparison.ts";
import type { Mark, Turn } from "./turn.ts";

interface FigureRow {
  readonly title: string;
  readonly isMoreBetter: boolean;
  readonly valueOf: (turn: Turn) => number | null;
  readonly marksOf: (turn: Turn) => readonly Mark[];
  /** Marks that do not affect the figure. */
  readonly ignores?: readonly Mark[];
}

/** The figures by which settings are compared, the most important first. */
export const FIGURES = {
  throughput: {
    title: "highest rate",
    isMoreBetter: true,
    valueOf: ({ throughput }) => throughput,
    marksOf: ({ searchMarks }) => searchMarks,
  },
  cpu: {
    title: "CPU per delivery",
    isMoreBetter: false,
    valueOf: ({ cpuUs }) => cpuUs,
    marksOf: ({ fixedMarks }) => fixedMarks,
    // The figure is the CPU of the server, which a busy generator does not affect.
    ignores: ["generator"],
  },
  p99: {
    title: "p99",
    isMoreBetter: false,
    valueOf: ({ p99Us }) => p99Us,
    marksOf: ({ fixedMarks }) => fixedMarks,
  },
} as const satisfies Record<string, FigureRow>;

/** Name of a figure. */
export type FigureName = keyof typeof FIGURES;

/** All figures, the most important first. */
export const FIGURE_NAMES = Object.keys(FIGURES) as readonly FigureName[];

/** A figure of one run. */
export interface RunFigure {
  readonly value: number;
  /** Whether the figure can be compared. */
  readonly isSound: boolean;
  /** Whether the generator ended the run, so that the server may do more. */
  readonly isLowerBound: boolean;
}

/** Returns the figures of the turns that have one. */
export function figuresOf(name: FigureName, turns: readonly Turn[]): readonly RunFigure[] {
  const { valueOf, marksOf, ignores = [] }: FigureRow = FIGURES[name];
  return turns.flatMap((turn) => {
    const value = valueOf(turn);
    const marks = marksOf(turn).filter((mark) => !ignores.includes(mark));
    const isLowerBound = name === "throughput" && marks.includes("generator");
    return value === null ? [] : [{ value, isSound: marks.length === 0, isLowerBound }];
  });
}

/** What ended the runs of a setting. */
type Ends = "server" | "generator" | "both";

function endsOf(figures: readonly RunFigure[]): Ends {
  const bounds = figures.filter(({ isLowerBound }) => isLowerBound).length;
  if (bounds === 0) return "server";
  return bounds === figures.length ? "generator" : "both";
}

/**
 * Returns the median of the sound figures, or of all figures if none is sound; null without figures,
 * and if the generator ended some of the runs and the server the others.
 */
export function middleOf(figures: readonly RunFigure[]): number | null {
  if (endsOf(figures) === "both") return null;
  const sound = figures.filter(({ isSound }) => isSound);
  const used = (sound.length > 0 ? sound : figures).map(({ value }) => value);
  return used.length === 0 ? null : median(used);
}

/** Returns the figures that can be compared: none if the generator ended one of the runs. */
function comparable(figures: readonly RunFigure[]): readonly RunFigure[] {
  // The others are lower than the setting's own, as the server ended just these.
  return endsOf(figures) === "server" ? figures.filter(({ isSound }) => isSound) : [];
}

/** The relation of a setting to another in one figure. `unknown`: too few runs can be compared. */
export type Relation = "better" | "worse" | "tie" | "unknown";

/** A smaller difference between the medians is always a tie. */
const LEAST_DIFFERENCE = 0.1;
const LEAST_RUNS = 2;

/**
 * Compares a setting with another in one figure, using the runs that can be compared.
 *
 * A setting is better only if each of its runs beats every run of the other setting and the medians
 * are at least a tenth apart. With three runs each, this happens by chance once in twenty times.
 */
export function relate(
  name: FigureName,
  turns: readonly Turn[],
  others: readonly Turn[],
): Relation {
  return relateFigures(
    name,
    comparable(figuresOf(name, turns)),
    comparable(figuresOf(name, others)),
  );
}

/**
 * Reports whether a setting looks worse in one figure if runs that cannot be compared count too. Such runs
 * never count in favour of a setting, but they do count against it, unless the generator ended runs of
 * this setting only.
 */
export function looksWorse(
  name: FigureName,
  turns: readonly Turn[],
  others: readonly Turn[],
): boolean {
  const [own, theirs] = [figuresOf(name, turns), figuresOf(name, others)];
  if (endsOf(own) !== "server" && endsOf(own) !== endsOf(theirs)) return false;
  return relateFigures(name, own, theirs) === "worse";
}

function relateFigures(
  name: FigureName,
  figures: readonly RunFigure[],
  others: readonly RunFigure[],
): Relation {
  if (figures.length < LEAST_RUNS || others.length < LEAST_RUNS) return "unknown";
  const own = figures.map(({ value }) => value);
  const theirs = others.map(({ value }) => value);
  const ratio = median(own) / median(theirs);
  const isMore = Math.min(...own) > Math.max(...theirs) && ratio >= 1 + LEAST_DIFFERENCE;
  const isLess = Math.max(...own) < Math.min(...theirs) && ratio <= 1 / (1 + LEAST_DIFFERENCE);
  if (!isMore && !isLess) return "tie";
  return isMore === FIGURES[name].isMoreBetter ? "better" : "worse";
}
