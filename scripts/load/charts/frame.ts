/**
 * The parts that all charts share: sizes, axes and gridlines, and the figure around a chart with its
 * legend and the values shown under the pointer.
 *
 * Each chart is drawn twice, for wide and for narrow screens, and the page shows one of the two
 * drawings. The text therefore has the same size on both kinds of screens.
 *
 * Runs on: the load test's process. Pure functions.
 */

import { coordinate, embedJson, escapeText } from "./markup.ts";
import { makeLinearScale, makeLogScale, type Scale } from "./scale.ts";

/** Size of a chart, in pixels. */
export interface Size {
  readonly name: "wide" | "narrow";
  readonly width: number;
  readonly height: number;
}

/** The two sizes in which each chart is drawn. */
export const SIZES: readonly Size[] = [
  { name: "wide", width: 860, height: 270 },
  { name: "narrow", width: 340, height: 230 },
];

/** Width of a character in a tick's label; a generous estimate. */
const CHARACTER = 7;
const TOP = 38;
const BOTTOM = 44;
const RIGHT = 16;
/** Gap between labels of the x axis. */
const LABEL_GAP = 18;
/** Distance between labels of the y axis. */
const LINE = 24;

/** The plotting area of a chart, in pixels. */
export interface Plot {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** An axis, and how its values are formatted. */
export interface Axis {
  readonly scale: Scale;
  readonly format: (value: number) => string;
  /** The quantity shown by the axis, with its unit. */
  readonly title: string;
}

/** Returns a y axis from 0, or a logarithmic one, on which all values have a place. */
export function makeValueAxis(
  size: Size,
  values: readonly number[],
  chart: Pick<Axis, "format"> & { readonly unit: string; readonly isLogarithmic: boolean },
): Axis {
  const { unit, format, isLogarithmic } = chart;
  const ticks = verticalTicks(size);
  return {
    scale: isLogarithmic
      ? makeLogScale(values, ticks)
      : makeLinearScale(Math.max(0, ...values), ticks),
    format,
    title: isLogarithmic ? `${unit}, logarithmic` : unit,
  };
}

/** Returns the maximum number of ticks on the y axis. */
export function verticalTicks({ height }: Size): number {
  return Math.max(2, Math.floor((height - TOP - BOTTOM) / LINE));
}

/** Returns the maximum number of ticks on the x axis, for labels of up to `longest` characters. */
export function horizontalTicks({ width }: Size, longest: number): number {
  return Math.max(2, Math.floor((width - 80) / (longest * CHARACTER + LABEL_GAP)));
}

/** Creates the plotting area of a chart, to the right of the labels of its y axis. */
export function makePlot({ width, height }: Size, y: Axis): Plot {
  const longest = Math.max(...y.scale.ticks.map((tick) => y.format(tick).length));
  const left = Math.round(longest * CHARACTER + 14);
  return { left, right: width - RIGHT, top: TOP, bottom: height - BOTTOM };
}

/** Returns the x coordinate of a value, in pixels. */
export function placeX({ left, right }: Plot, scale: Scale, value: number): number {
  return left + scale.place(value) * (right - left);
}

/** Returns the y coordinate of a value, in pixels. */
export function placeY({ top, bottom }: Plot, scale: Scale, value: number): number {
  return bottom - scale.place(value) * (bottom - top);
}

/** Draws axes, gridlines and their labels. */
export function drawAxes(plot: Plot, x: Axis, y: Axis): string {
  const { left, right, top, bottom } = plot;
  const rows = y.scale.ticks.map((tick) => {
    const at = coordinate(placeY(plot, y.scale, tick));
    return (
      `<line class="grid" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/>` +
      `<text class="tick" x="${left - 8}" y="${at}" dy="0.32em" text-anchor="end">${escapeText(y.format(tick))}</text>`
    );
  });
  const columns = placeLabels(plot, x).map(
    ({ at, text, anchor }) =>
      `<line class="mark" x1="${coordinate(at)}" x2="${coordinate(at)}" y1="${bottom}" y2="${bottom + 4}"/>` +
      (text === ""
        ? ""
        : `<text class="tick" x="${coordinate(anchor)}" y="${bottom + 20}" text-anchor="middle">${escapeText(text)}</text>`),
  );
  return [
    `<text class="axis" x="4" y="12">${escapeText(y.title)}</text>`,
    ...rows,
    `<line class="base" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
    ...columns,
    `<text class="axis" x="${right}" y="${bottom + 38}" text-anchor="end">${escapeText(x.title)}</text>`,
    `<line class="cursor" x1="0" x2="0" y1="${top}" y2="${bottom}" visibility="hidden"/>`,
  ].join("");
}

/** The position of a tick on the x axis, and of its label; the text is empty if it does not fit. */
interface PlacedLabel {
  readonly at: number;
  readonly anchor: number;
  readonly text: string;
}

/** Places the labels of an x axis so that they stay within the chart and do not overlap. */
function placeLabels(plot: Plot, { scale, format }: Axis): readonly PlacedLabel[] {
  let taken = 0;
  return scale.ticks.map((tick) => {
    const at = placeX(plot, scale, tick);
    const text = format(tick);
    const half = (text.length * CHARACTER) / 2;
    const anchor = Math.min(at, plot.right + RIGHT - half);
    if (anchor - half < taken) return { at, anchor, text: "" };
    taken = anchor + half + CHARACTER;
    return { at, anchor, text };
  });
}

/**
 * Wraps a drawing in `<svg>`. `xs` are the x coordinates, in pixels, for which the figure has
 * values.
 */
export function wrapSvg(size: Size, label: string, xs: readonly number[], content: string): string {
  const { name, width, height } = size;
  return (
    `<svg class="${name}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(label)}"` +
    ` data-xs="${xs.map((x) => coordinate(x)).join(" ")}">${content}</svg>`
  );
}

/** An entry of the legend, and of the values shown under the pointer. */
export interface LegendEntry {
  readonly name: string;
  /** Class of the line's colour and dash, as returned by `lineClass`. */
  readonly className: string;
  /** The formatted value at each x; empty if there is no value. */
  readonly texts: readonly string[];
}

/** A chart with its title, legend and values. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  /** A sentence that explains how to read the chart. */
  readonly about: string;
  /** The heading of the values at each x. */
  readonly heads: readonly string[];
  readonly entries: readonly LegendEntry[];
  /** Draws the chart in one size, and returns the coordinate of each x. */
  draw(size: Size): { readonly content: string; readonly xs: readonly number[] };
}

/** Draws a chart in all sizes, with its title, legend and the values shown under the pointer. */
export function drawFigure(figure: Figure): string {
  const { id, title, about, heads, entries } = figure;
  const drawings = SIZES.map((size) => {
    const { content, xs } = figure.draw(size);
    return wrapSvg(size, `${title}. ${about}`, xs, content);
  });
  const legend = entries.map(
    ({ name, className }) =>
      `<li><svg class="key" viewBox="0 0 22 10" aria-hidden="true"><line class="${className}" x1="1" x2="21" y1="5" y2="5"/></svg>${escapeText(name)}</li>`,
  );
  const values = {
    heads,
    names: entries.map(({ name }) => name),
    texts: entries.map(({ texts }) => texts),
  };
  return `<figure id="${escapeText(id)}" class="chart">
<figcaption><h3>${escapeText(title)}</h3><p>${escapeText(about)}</p></figcaption>
${drawings.join("\n")}
<ul class="legend">${legend.join("")}</ul>
<div class="values" hidden></div>
<script type="application/json">${embedJson(values)}</script>
</figure>`;
}

/** Number of colours; further lines differ by their dashes. */
const COLOURS = 8;
const DASHES = ["", " dashed", " dotted"];

/** Returns the class of the n-th line of a chart. */
export function lineClass(index: number): string {
  const dash = DASHES[Math.floor(index / COLOURS) % DASHES.length] ?? "";
  return `line c${index % COLOURS}${dash}`;
}
