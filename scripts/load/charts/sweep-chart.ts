/**
 * A chart of a figure at several settings: a dot for each run, a line through the medians, and a bar from
 * the minimum to the maximum.
 *
 * Runs on: the load test's process. Pure functions.
 */

import {
  drawAxes,
  drawFigure,
  makePlot,
  makeValueAxis,
  placeY,
  type Axis,
  type LegendEntry,
  type Plot,
} from "./frame.ts";
import { coordinate, escapeText } from "./markup.ts";
import { makeNameScale, type Scale } from "./scale.ts";

/** The runs at one setting. */
export interface SettingRuns {
  /** The value of the setting, as shown on the x axis. */
  readonly label: string;
  readonly isDefault: boolean;
  readonly isRecommended: boolean;
  readonly median: number | null;
  /** The figures of the runs that have one, each with whether it can be compared. */
  readonly runs: readonly { readonly value: number; readonly isSound: boolean }[];
}

/** A chart of a figure over the values of one setting. */
export interface SweepChart {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  /** Name of the setting. */
  readonly setting: string;
  readonly settings: readonly SettingRuns[];
  readonly unit: string;
  readonly isLogarithmic?: boolean;
  readonly format: (value: number) => string;
}

/** Draws a chart of a figure over the values of a setting. */
export function drawSweepChart(chart: SweepChart): string {
  const { id, title, about, setting, settings, unit, format, isLogarithmic = false } = chart;
  const all = settings.flatMap(({ runs }) => runs.map(({ value }) => value));
  const nameOf = (index: number): string => settings[index]?.label ?? "";
  const x: Axis = { scale: makeNameScale(settings.length), format: nameOf, title: setting };
  return drawFigure({
    id,
    title,
    about,
    heads: settings.map(({ label, isDefault, isRecommended }) =>
      [label, ...(isDefault ? ["default"] : []), ...(isRecommended ? ["recommended"] : [])].join(
        ", ",
      ),
    ),
    entries: entriesOf(settings, format),
    draw: (size) => {
      const y = makeValueAxis(size, all, { unit, format, isLogarithmic });
      const plot = makePlot(size, y);
      const xs = settings.map(
        (_, index) => plot.left + x.scale.place(index) * (plot.right - plot.left),
      );
      const content =
        drawAxes(plot, x, y) +
        drawMedians(plot, y.scale, settings, xs) +
        settings.map((one, index) => drawSetting(plot, y.scale, one, xs[index] ?? 0)).join("");
      return { content, xs };
    },
  });
}

function entriesOf(
  settings: readonly SettingRuns[],
  format: (value: number) => string,
): readonly LegendEntry[] {
  const spread = (one: SettingRuns): string => {
    const values = one.runs.map(({ value }) => value);
    if (values.length === 0) return "none";
    return `${format(Math.min(...values))} to ${format(Math.max(...values))}`;
  };
  return [
    {
      name: "median",
      className: "line c0",
      texts: settings.map(({ median }) => (median === null ? "none" : format(median))),
    },
    {
      name: "minimum to maximum",
      className: "line range",
      texts: settings.map((one) => spread(one)),
    },
  ];
}

function drawMedians(
  plot: Plot,
  scale: Scale,
  settings: readonly SettingRuns[],
  xs: readonly number[],
): string {
  const points = settings.flatMap(({ median }, index) =>
    median === null
      ? []
      : [`${coordinate(xs[index] ?? 0)} ${coordinate(placeY(plot, scale, median))}`],
  );
  return points.length === 0 ? "" : `<path class="line c0" d="M${points.join("L")}"/>`;
}

function drawSetting(plot: Plot, scale: Scale, one: SettingRuns, x: number): string {
  const at = coordinate(x);
  const ys = one.runs.map(({ value }) => placeY(plot, scale, value));
  const range =
    ys.length > 1
      ? `<line class="range" x1="${at}" x2="${at}" y1="${coordinate(Math.min(...ys))}" y2="${coordinate(Math.max(...ys))}"/>`
      : "";
  const dots = one.runs.map(
    ({ isSound }, index) =>
      `<circle class="${isSound ? "run" : "run unsound"}" cx="${at}" cy="${coordinate(ys[index] ?? 0)}" r="3.5"/>`,
  );
  const words = [...(one.isDefault ? ["default"] : []), ...(one.isRecommended ? ["★"] : [])];
  const mark =
    words.length === 0
      ? ""
      : `<text class="band-label" x="${at}" y="${plot.top - 8}" text-anchor="middle">${escapeText(words.join(" "))}</text>`;
  return range + dots.join("") + mark;
}
