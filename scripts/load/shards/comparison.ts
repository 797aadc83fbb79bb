/**
 * Whether one setting does better than another, beyond what is noise. Pure functions.
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
  /** Marks that do not matter to it. */
  readonly ignores?: readonly Mark[];
}

/** What settings are compared by, the most important first. */
export const FIGURES = {
  throughput: {
    title: "highest rate",
    isMoreBetter: true,
    valueOf: ({ throughput }) => throughput,
    marksOf: ({ searchMarks }) => searchMarks,
  },
  cpu: {
    title: "CPU for each delivery",
    isMoreBetter: false,
    valueOf: ({ cpuUs }) => cpuUs,
    marksOf: ({ fixedMarks }) => fixedMarks,
    // It has the CPU of a server, not of itself: nothing of it is in this figure.
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
  /** False where it may not be compared. */
  readonly isSound: boolean;
}

/** The figures of some turns; those that a turn lacks are left out. */
export function figuresOf(name: FigureName, turns: readonly Turn[]): readonly RunFigure[] {
  const { valueOf, marksOf, ignores = [] }: FigureRow = FIGURES[name];
  return turns.flatMap((turn) => {
    const value = valueOf(turn);
    const isSound = marksOf(turn).every((mark) => ignores.includes(mark));
    return value === null ? [] : [{ value, isSound }];
  });
}

/** The middle of the sound figures; of all where none is sound; null where there is none. */
export function middleOf(figures: readonly RunFigure[]): number | null {
  const sound = figures.filter(({ isSound }) => isSound);
  const used = (sound.length > 0 ? sound : figures).map(({ value }) => value);
  return used.length === 0 ? null : median(used);
}

/** How a setting stands to another by one figure. `unknown`: too few of its runs may be compared. */
export type Relation = "better" | "worse" | "tie" | "unknown";

/** A smaller difference between the middles is a tie, whatever the runs. */
const LEAST_DIFFERENCE = 0.1;
const LEAST_RUNS = 2;

/**
 * Compares a setting with another by one figure, of the runs that may be compared.
 *
 * It is better only where each of its runs was better than every run of the other, and the middles are
 * at least a tenth apart: with three runs each, chance alone puts one so far ahead once in twenty times.
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
 * Whether a setting looks worse by one figure, if runs count too that may not be compared: they are no reason
 * to choose a setting, but one not to.
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
