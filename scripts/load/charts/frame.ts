/**
 * What all charts share: the size they are drawn in, their axes and gridlines, and the figure
 * around them with its legend and the values that are shown under a pointer.
 *
 * A chart is drawn twice, for wide screens and for narrow ones, and the page shows one of the two: its text
 * then has one size on both.
 *
 * Runs on: the load test's process. Pure functions.
 */

import { coordinate, embedJson, escapeText } from "./markup.ts";
import type { Scale } from "./scale.ts";

/** Size of a drawing, in pixels. */
export interface Size {
  readonly name: "wide" | "narrow";
  readonly width: number;
  readonly height: number;
}

/** The two sizes that each chart is drawn in. */
export const SIZES: readonly Size[] = [
  { name: "wide", width: 860, height: 270 },
  { name: "narrow", width: 340, height: 230 },
];

/** Width of a character of a tick's label, rather too wide than too narrow. */
const CHARACTER = 7;
const TOP = 38;
const BOTTOM = 44;
const RIGHT = 16;
/** Between two labels of the x axis. */
const LABEL_GAP = 18;
/** Between two labels of the y axis. */
const LINE = 24;

/** Where the lines of a chart lie within its drawing, in pixels. */
export interface Plot {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** An axis and how its values are written. */
export interface Axis {
  readonly scale: Scale;
  readonly format: (value: number) => string;
  /** What it shows, with its unit. */
  readonly title: string;
}

/** How many ticks of the y axis there is room for. */
export function verticalTicks({ height }: Size): number {
  return Math.max(2, Math.floor((height - TOP - BOTTOM) / LINE));
}

/** How many ticks of the x axis there is room for, whose longest label has so many characters. */
export function horizontalTicks({ width }: Size, longest: number): number {
  return Math.max(2, Math.floor((width - 80) / (longest * CHARACTER + LABEL_GAP)));
}

/** The place that the lines of a chart have, right of the labels of its y axis. */
export function makePlot({ width, height }: Size, y: Axis): Plot {
  const longest = Math.max(...y.scale.ticks.map((tick) => y.format(tick).length));
  const left = Math.round(longest * CHARACTER + 14);
  return { left, right: width - RIGHT, top: TOP, bottom: height - BOTTOM };
}

/** X of a value in pixels. */
export function placeX({ left, right }: Plot, scale: Scale, value: number): number {
  return left + scale.place(value) * (right - left);
}

/** Y of a value in pixels. */
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

/** Where a tick of the x axis stands, and the middle of its label; empty where that has no room. */
interface PlacedLabel {
  readonly at: number;
  readonly anchor: number;
  readonly text: string;
}

/** Places the labels of an x axis: within the drawing, and each apart from the one before. */
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

/** Puts a drawing into its `<svg>`. `xs` are the places, in pixels, of what the figure has values for. */
export function wrapSvg(size: Size, label: string, xs: readonly number[], content: string): string {
  const { name, width, height } = size;
  return (
    `<svg class="${name}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(label)}"` +
    ` data-xs="${xs.map((x) => coordinate(x)).join(" ")}">${content}</svg>`
  );
}

/** One line of a legend, and of what is shown under a pointer. */
export interface LegendEntry {
  readonly name: string;
  /** Class of its colour and form; `lineClass` gives it. */
  readonly className: string;
  /** Its value at each x, as it is shown; empty where there is none. */
  readonly texts: readonly string[];
}

/** A chart with all that stands around it. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  /** A sentence on how to read it. */
  readonly about: string;
  /** What each x is, as the values under a pointer are headed. */
  readonly heads: readonly string[];
  readonly entries: readonly LegendEntry[];
  /** The drawing in one size, with the place of each x. */
  draw(size: Size): { readonly content: string; readonly xs: readonly number[] };
}

/** Draws a chart in all sizes, with title, legend and the values for the pointer. */
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

/** Colours that tell lines apart; beyond them, dashes do. */
const COLOURS = 8;
const DASHES = ["", " dashed", " dotted"];

/** Class of the n-th line of a chart. */
export function lineClass(index: number): string {
  const dash = DASHES[Math.floor(index / COLOURS) % DASHES.length] ?? "";
  return `line c${index % COLOURS}${dash}`;
}
