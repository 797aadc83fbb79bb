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
}

/** Returns the figures of the turns that have one. */
export function figuresOf(name: FigureName, turns: readonly Turn[]): readonly RunFigure[] {
  const { valueOf, marksOf, ignores = [] }: FigureRow = FIGURES[name];
  return turns.flatMap((turn) => {
    const value = valueOf(turn);
    const isSound = marksOf(turn).every((mark) => ignores.includes(mark));
    return value === null ? [] : [{ value, isSound }];
  });
}

/** Returns the median of the sound figures, or of all figures if none is sound; null without figures. */
export function middleOf(figures: readonly RunFigure[]): number | null {
  const sound = figures.filter(({ isSound }) => isSound);
  const used = (sound.length > 0 ? sound : figures).map(({ value }) => value);
  return used.length === 0 ? null : median(used);
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
    figuresOf(name, turns).filter(({ isSound }) => isSound),
    figuresOf(name, others).filter(({ isSound }) => isSound),
  );
}

/**
 * Reports whether a setting looks worse in one figure if runs that cannot be compared count too. Such runs
 * never count in favour of a setting, but they do count against it.
 */
export function looksWorse(
  name: FigureName,
  turns: readonly Turn[],
  others: readonly Turn[],
): boolean {
  return relateFigures(name, figuresOf(name, turns), figuresOf(name, others)) === "worse";
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
