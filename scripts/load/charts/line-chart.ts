/**
 * Charts of lines over time and over percentiles.
 *
 * Runs on: the load test's process. Pure functions.
 */

import { formatSeconds } from "./formats.ts";
import {
  drawAxes,
  drawFigure,
  horizontalTicks,
  lineClass,
  makePlot,
  placeX,
  placeY,
  verticalTicks,
  type Axis,
  type LegendEntry,
  type Plot,
  type Size,
} from "./frame.ts";
import { coordinate, escapeText } from "./markup.ts";
import {
  makeLinearScale,
  makeLogScale,
  makeSpanScale,
  makeTailScale,
  type Scale,
} from "./scale.ts";

/** A line: a value at each x, or null for a gap. */
export interface Series {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

/** A shaded period of time. */
export interface Band {
  readonly from: number;
  readonly to: number;
  readonly label: string;
}

/** A chart of lines over time. */
export interface TimeChart {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  /** Seconds since the start, in ascending order. */
  readonly seconds: readonly number[];
  readonly series: readonly Series[];
  readonly bands: readonly Band[];
  /** The quantity shown by the y axis, with its unit. */
  readonly unit: string;
  readonly isLogarithmic?: boolean;
  readonly format: (value: number) => string;
  /** Returns the unit in which ticks are round numbers, for a given maximum. Default: 1. */
  readonly roundTo?: (max: number) => number;
}

/** Draws lines over time. */
export function drawTimeChart(chart: TimeChart): string {
  const { id, title, about, seconds, series, format } = chart;
  const all = valuesOf(series);
  return drawFigure({
    id,
    title,
    about,
    heads: seconds.map((second) => formatSeconds(second)),
    entries: entriesOf(series, format),
    draw: (size) => {
      const last = seconds.at(-1) ?? 1;
      const ticks = horizontalTicks(size, formatSeconds(Math.round(last)).length);
      const x: Axis = {
        scale: makeSpanScale(0, last, Math.min(ticks, 12)),
        format: formatSeconds,
        title: "since the start of the run",
      };
      const y = valueAxis(size, all, chart);
      const plot = makePlot(size, y);
      return {
        content:
          drawBands(plot, x.scale, chart.bands) +
          drawAxes(plot, x, y) +
          drawLines(plot, x.scale, y.scale, seconds, series),
        xs: seconds.map((second) => placeX(plot, x.scale, second)),
      };
    },
  });
}

/** A chart of a distribution: a value for each quantile. */
export interface TailChart {
  readonly id: string;
  readonly title: string;
  readonly about: string;
  /** Quantiles from 0 to 1, in ascending order. */
  readonly quantiles: readonly number[];
  readonly series: readonly Series[];
  readonly unit: string;
  readonly isLogarithmic?: boolean;
  readonly format: (value: number) => string;
}

/** Draws a distribution. Its x axis stretches the tail: 90, 99 and 99.9 % are equally far apart. */
export function drawTailChart(chart: TailChart): string {
  const { id, title, about, quantiles, series, format } = chart;
  const all = valuesOf(series);
  // 100 % has no place on such an axis, so the last sample is drawn at its end.
  const inner = quantiles.findLast((quantile) => quantile < 1) ?? 0.9;
  const x: Axis = {
    scale: makeTailScale(1 - inner),
    format: formatQuantile,
    title: "of all deliveries",
  };
  return drawFigure({
    id,
    title,
    about,
    heads: quantiles.map((quantile) => formatQuantile(quantile)),
    entries: entriesOf(series, format),
    draw: (size) => {
      const y = valueAxis(size, all, chart);
      const plot = makePlot(size, y);
      return {
        content: drawAxes(plot, x, y) + drawLines(plot, x.scale, y.scale, quantiles, series),
        xs: quantiles.map((quantile) => placeX(plot, x.scale, quantile)),
      };
    },
  });
}

/** Formats a quantile in percent, with all of its nines. */
export function formatQuantile(quantile: number): string {
  if (quantile >= 1) return "100 %";
  const nines = Math.ceil(-Math.log10(1 - quantile) - 1e-9);
  return `${Number((quantile * 100).toFixed(Math.max(0, nines - 1)))} %`;
}

function valueAxis(
  size: Size,
  all: readonly number[],
  {
    isLogarithmic = false,
    unit,
    format,
    roundTo = () => 1,
  }: Pick<TimeChart, "isLogarithmic" | "unit" | "format" | "roundTo">,
): Axis {
  const ticks = verticalTicks(size);
  const max = all.reduce((largest, value) => Math.max(largest, value), 0);
  return {
    scale: isLogarithmic ? makeLogScale(all, ticks) : makeLinearScale(max, ticks, roundTo(max)),
    format,
    title: isLogarithmic ? `${unit}, logarithmic` : unit,
  };
}

function valuesOf(series: readonly Series[]): readonly number[] {
  return series.flatMap(({ values }) => values.filter((value) => value !== null));
}

function entriesOf(series: readonly Series[], format: (value: number) => string): LegendEntry[] {
  return series.map(({ name, values }, index) => ({
    name,
    className: lineClass(index),
    texts: values.map((value) => (value === null ? "" : format(value))),
  }));
}

function drawBands(plot: Plot, scale: Scale, bands: readonly Band[]): string {
  return bands
    .map(({ from, to, label }) => {
      const [left, right] = [placeX(plot, scale, from), placeX(plot, scale, to)];
      const text =
        right - left > label.length * 7
          ? `<text class="band-label" x="${coordinate(right - 4)}" y="${plot.top - 5}" text-anchor="end">${escapeText(label)}</text>`
          : "";
      return `<rect class="band" x="${coordinate(left)}" y="${plot.top}" width="${coordinate(right - left)}" height="${plot.bottom - plot.top}"/>${text}`;
    })
    .join("");
}

/** Draws a path for each line, with gaps if values are missing. A value between gaps is a dot. */
function drawLines(
  plot: Plot,
  xScale: Scale,
  yScale: Scale,
  xs: readonly number[],
  series: readonly Series[],
): string {
  return series
    .map(({ values }, index) => {
      let path = "";
      let isBroken = true;
      for (const [at, value] of values.entries()) {
        const x = xs[at];
        if (value === null || x === undefined) {
          isBroken = true;
          continue;
        }
        const point = `${coordinate(placeX(plot, xScale, x))} ${coordinate(placeY(plot, yScale, value))}`;
        // A segment of length 0 with round ends is a dot if no line follows.
        path += isBroken ? `M${point}h0` : `L${point}`;
        isBroken = false;
      }
      return `<path class="${lineClass(index)}" d="${path}"/>`;
    })
    .join("");
}
