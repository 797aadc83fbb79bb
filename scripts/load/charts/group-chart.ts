/**
 * A chart of a figure over settings, with a line for each group of runs, and a dashed line for the value
 * with which each group is compared.
 *
 * A value that cannot be compared is a hollow dot beside the line, which only joins the others.
 *
 * Runs on: the load test's process. Pure functions.
 */

import {
  drawAxes,
  drawFigure,
  lineClass,
  makePlot,
  makeValueAxis,
  placeX,
  placeY,
  type Axis,
  type LegendEntry,
  type Plot,
} from "./frame.ts";
import { coordinate } from "./markup.ts";
import { makeNameScale, type Scale } from "./scale.ts";

/** A value of a group. */
export interface GroupValue {
  readonly value: number;
  /** Whether the value can be compared. */
  readonly isSound: boolean;
}

/** The values of a group, one for each setting. */
export interface Group {
  readonly name: string;
  /** Null if there is no value. */
  readonly values: readonly (GroupValue | null)[];
  /** The value with which the group is compared; null if there is none. */
  readonly reference: GroupValue | null;
}

/** A chart of a figure over settings. */
export interface GroupChart {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  /** Title of the x axis. */
  readonly setting: string;
  /** The settings, as shown on the x axis. */
  readonly labels: readonly string[];
  readonly groups: readonly Group[];
  /** What the references are values of. */
  readonly referenceName: string;
  readonly unit: string;
  readonly isLogarithmic?: boolean;
  readonly format: (value: number) => string;
}

/** The remark beside values that cannot be compared, where there are no dots. */
const UNSOUND = "not comparable";

/** Draws a chart of a figure over settings, with a line for each group. */
export function drawGroupChart(chart: GroupChart): string {
  const { id, title, about, setting, labels, groups, unit, format, isLogarithmic = false } = chart;
  const all = groups
    .flatMap(({ values, reference }) => [...values, reference])
    .flatMap((one) => one?.value ?? []);
  const x: Axis = {
    scale: makeNameScale(labels.length),
    format: (index) => labels[index] ?? "",
    title: setting,
  };
  return drawFigure({
    id,
    title,
    about,
    heads: labels,
    entries: entriesOf(chart),
    draw: (size) => {
      const y = makeValueAxis(size, all, { unit, format, isLogarithmic });
      const plot = makePlot(size, y);
      const xs = labels.map((_, index) => placeX(plot, x.scale, index));
      const lines = groups.map((group, index) => drawGroup(plot, y.scale, xs, group, index));
      return { content: drawAxes(plot, x, y) + lines.join(""), xs };
    },
  });
}

function entriesOf({ groups, labels, referenceName, format }: GroupChart): readonly LegendEntry[] {
  const show = (one: GroupValue | null): string => {
    if (one === null) return "";
    return one.isSound ? format(one.value) : `${format(one.value)}, ${UNSOUND}`;
  };
  return groups.flatMap(({ name, values, reference }, index) => [
    { name, className: lineClass(index), texts: values.map((one) => show(one)) },
    ...(reference === null
      ? []
      : [
          {
            name: `${name}, ${referenceName}`,
            className: `${lineClass(index)} dashed`,
            texts: labels.map(() => show(reference)),
          },
        ]),
  ]);
}

function drawGroup(
  plot: Plot,
  scale: Scale,
  xs: readonly number[],
  { values, reference }: Group,
  index: number,
): string {
  const at = (value: number): string => coordinate(placeY(plot, scale, value));
  const points = values.flatMap((one, setting) =>
    one === null ? [] : [{ ...one, x: coordinate(xs[setting] ?? 0), y: at(one.value) }],
  );
  const sound = points.filter(({ isSound }) => isSound);
  const path =
    sound.length < 2
      ? ""
      : `<path class="${lineClass(index)}" d="M${sound.map(({ x, y }) => `${x} ${y}`).join("L")}"/>`;
  const dots = points.map(({ x, y, isSound }) => drawDot(index, x, y, isSound));
  return drawReference(plot, reference, at, index) + path + dots.join("");
}

/** Draws a line at the height of a reference. If it cannot be compared, it begins with a hollow dot. */
function drawReference(
  { left, right }: Plot,
  reference: GroupValue | null,
  at: (value: number) => string,
  index: number,
): string {
  if (reference === null) return "";
  const y = at(reference.value);
  const line = `<path class="${lineClass(index)} dashed" d="M${left} ${y}H${right}"/>`;
  return reference.isSound ? line : line + drawDot(index, String(left), y, false);
}

function drawDot(index: number, x: string, y: string, isSound: boolean): string {
  const className = isSound ? "dot" : "dot hollow";
  return `<circle class="${className} ${lineClass(index).split(" ")[1]}" cx="${x}" cy="${y}" r="4"/>`;
}
