/**
 * Scales of axes: map values to positions between 0 and 1, with ticks at round values.
 *
 * Runs on: the load test's process. Pure functions.
 */

/** The scale of an axis. */
export interface Scale {
  /** Round values within the scale, in ascending order. */
  readonly ticks: readonly number[];
  /**
   * Returns the position of a value: 0 at the lower end, 1 at the upper; other values are clamped.
   */
  readonly place: (value: number) => number;
}

/** Steps that produce round ticks, within a power of ten. */
const STEPS = [1, 2, 5, 10];

/**
 * Creates a linear scale from 0 to a round value at or above `max`.
 *
 * @param mostTicks - maximum number of ticks, at least 2
 * @param unit - unit in which ticks are round numbers, such as 1 or the bytes of a MiB
 */
export function makeLinearScale(max: number, mostTicks: number, unit = 1): Scale {
  const top = max > 0 ? max / unit : 1;
  const step = roundUp(top / (mostTicks - 1));
  const count = Math.ceil(top / step - 1e-9);
  const end = step * count * unit;
  // Multiplied rather than added up, because 0.1 + 0.2 is not a round value.
  const ticks = Array.from(
    { length: count + 1 },
    (_, index) => Number((index * step).toFixed(12)) * unit,
  );
  return { ticks, place: (value) => within01(value / end) };
}

/** Creates a linear scale between two values, with ticks inside only. Used for time. */
export function makeSpanScale(min: number, max: number, mostTicks: number): Scale {
  const span = max > min ? max - min : 1;
  const step = roundUp(span / (mostTicks - 1));
  const first = Math.ceil(min / step - 1e-9);
  const last = Math.floor((min + span) / step + 1e-9);
  const ticks = Array.from({ length: Math.max(0, last - first + 1) }, (_, index) =>
    Number(((first + index) * step).toFixed(12)),
  );
  return { ticks, place: (value) => within01((value - min) / span) };
}

/**
 * Creates a logarithmic scale that contains all of the values. Values up to 0 are placed at its lower end.
 *
 * @param mostTicks - maximum number of ticks, at least 2
 */
export function makeLogScale(values: readonly number[], mostTicks: number): Scale {
  const positive = values.filter((value) => value > 0);
  const least = positive.reduce((low, value) => Math.min(low, value), Infinity);
  const largest = positive.reduce((high, value) => Math.max(high, value), 0);
  const [min, max] = largest > 0 ? [roundDown(least), roundUp(largest)] : [1, 10];
  const end = max > min ? max : min * 10;
  const decades = Math.log10(end / min);
  const place = (value: number): number =>
    value <= 0 ? 0 : within01(Math.log10(value / min) / decades);
  return { ticks: logTicks(min, end, mostTicks), place };
}

/**
 * Creates HdrHistogram's scale for percentiles: each step to the right has a tenth of the samples
 * of the previous step.
 *
 * @param lowest - the smallest share of samples above a value, such as 0.001 for 99.9 %
 */
export function makeTailScale(lowest: number): Scale & { readonly isTail: true } {
  const decades = Math.max(1, Math.ceil(-Math.log10(lowest) - 1e-9));
  const ticks = Array.from({ length: decades + 1 }, (_, nines) => 1 - 10 ** -nines);
  const place = (quantile: number): number =>
    within01(quantile >= 1 ? 1 : -Math.log10(1 - quantile) / decades);
  return { ticks, place, isTail: true };
}

/** Creates a scale of names, which are given by their index, each in the middle of an equal part. */
export function makeNameScale(count: number): Scale {
  return {
    ticks: Array.from({ length: count }, (_, index) => index),
    place: (index) => (index + 0.5) / count,
  };
}

/** Choices of ticks, the finest first: steps within a power of ten, for every `every`-th power. */
const LOG_TICKS: readonly { readonly steps: readonly number[]; readonly every: number }[] = [
  { steps: [1, 2, 5], every: 1 },
  { steps: [1, 3], every: 1 },
  { steps: [1], every: 1 },
  { steps: [1], every: 2 },
  { steps: [1], every: 4 },
];

/** Returns the finest ticks that fit, or the two ends if even the coarsest ticks are too many. */
function logTicks(min: number, max: number, mostTicks: number): readonly number[] {
  const first = Math.floor(Math.log10(min) + 1e-9);
  const last = Math.ceil(Math.log10(max) - 1e-9);
  const powers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  for (const { steps, every } of LOG_TICKS) {
    const ticks = powers
      .filter((power) => power % every === 0)
      .flatMap((power) => steps.map((step) => tenTo(power, step)))
      .filter((value) => value >= min * 0.999 && value <= max * 1.001);
    if (ticks.length <= mostTicks && ticks.length >= 2) return ticks;
  }
  return [min, max];
}

function tenTo(power: number, times: number): number {
  return Number(`${times}e${power}`);
}

function roundUp(value: number): number {
  const power = Math.floor(Math.log10(value));
  const step = STEPS.find((candidate) => tenTo(power, candidate) >= value * (1 - 1e-9)) ?? 10;
  return tenTo(power, step);
}

function roundDown(value: number): number {
  const power = Math.floor(Math.log10(value));
  const step = STEPS.findLast((candidate) => tenTo(power, candidate) <= value * (1 + 1e-9)) ?? 1;
  return tenTo(power, step);
}

function within01(value: number): number {
  return Math.min(1, Math.max(0, value));
}
