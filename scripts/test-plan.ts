/**
 * Plans the test files that `npm test` runs, their order, and the files that run at the same time.
 *
 * Runs on: the runner's process. Pure.
 *
 * The header of a test file may contain two marks:
 *
 *   Alone: why   It measures time or load that other files would disturb, so it runs by itself.
 *   Slow: why    It takes longer than `SLOW_MS` by itself, so it starts before files that are not slow.
 *
 * `--quick` runs all files with neither mark. After a run of all tests, the report names the files whose marks
 * do not match the time that they took.
 */

import { basename, dirname } from "node:path";

/** A file that takes longer than this by itself must be marked as slow. */
export const SLOW_MS = 3_000;
/** Files that run beside others take longer: only a file that takes longer by this factor is reported. */
const TOLERANCE = 3;
/** A file that takes less than this is not slow. */
const FAST_MS = 500;

/** A test file. */
export interface TestFile {
  /** Path of the TypeScript file, relative to the package's folder. */
  readonly path: string;
  readonly source: string;
}

/** The plan of a run. */
export interface TestPlan {
  /** Files that may run at the same time, in the order in which they start. */
  readonly together: readonly string[];
  /** Files that run afterwards, one after the other. */
  readonly alone: readonly string[];
  /** Files that `--quick` omits. */
  readonly leftOut: readonly string[];
}

/** Time of each file in milliseconds, by its path. */
export type TestTimes = ReadonlyMap<string, number>;

/**
 * Plans a run.
 *
 * @param times - times of earlier runs; files that took longer start earlier
 */
export function planTests(
  files: readonly TestFile[],
  isQuick: boolean,
  times: TestTimes,
): TestPlan {
  const slow = files.filter((file) => isMarked(file, "Slow"));
  const alone = files.filter((file) => isMarked(file, "Alone"));
  const leftOut = isQuick ? [...new Set([...slow, ...alone])] : [];
  const expectedMs = (file: TestFile): number =>
    times.get(file.path) ?? (slow.includes(file) ? SLOW_MS : 0);
  const inOrder = (chosen: readonly TestFile[]): string[] =>
    chosen
      .filter((file) => !leftOut.includes(file))
      .toSorted((a, b) => expectedMs(b) - expectedMs(a))
      .map(({ path }) => path);
  return {
    together: inOrder(files.filter((file) => !alone.includes(file))),
    alone: inOrder(alone),
    leftOut: leftOut.map(({ path }) => path),
  };
}

/**
 * Returns a line for each file whose marks do not match the time that it took.
 *
 * @param load - number of threads that competed for each core; if it is above one, everything takes
 *   longer
 */
export function complaintsOf(files: readonly TestFile[], times: TestTimes, load: number): string[] {
  return files.flatMap((file) => {
    const ms = times.get(file.path);
    if (ms === undefined || isMarked(file, "Alone")) return [];
    const took = `${file.path} took ${(ms / 1_000).toFixed(1)} s`;
    if (isMarked(file, "Slow"))
      return ms < FAST_MS ? [`${took}: remove "Slow:" from its header`] : [];
    return ms > SLOW_MS * TOLERANCE * Math.max(1, load)
      ? [`${took}: make it faster, or say "Slow: why" in its header`]
      : [];
  });
}

/** Returns a line for each folder that contains some of the files: `test/litmus: index, ring`. */
export function byFolder(paths: readonly string[]): string[] {
  const folders = new Map<string, string[]>();
  for (const path of paths.toSorted()) {
    const [folder, name] = [dirname(path), basename(path, ".test.ts")];
    folders.set(folder, [...(folders.get(folder) ?? []), name]);
  }
  return [...folders].map(([folder, names]) => `${folder}: ${names.join(", ")}`);
}

function isMarked({ source }: TestFile, mark: "Slow" | "Alone"): boolean {
  const header = /^\/\*\*[\s\S]*?\*\//.exec(source)?.[0] ?? "";
  return new RegExp(`^ \\* ${mark}: \\S`, "m").test(header);
}
