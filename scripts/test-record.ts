/**
 * The tests of a run and their outcomes, collected from the events of Node's test runner.
 *
 * Runs on: the reporter's thread. Owns the names and outcomes of all tests of one run.
 *
 * The runner reports tests in the order of the source: a suite begins, then come its tests, then it ends.
 * The suites around a test are therefore those that have begun and not ended. A test belongs to the file
 * that begins the outermost suite: a test of a contract belongs to the file that runs the contract within
 * a suite of its own or, without such a suite, to the contract's file.
 */

import { relative } from "node:path";
import type { TestEvent } from "node:test/reporters";
import { fileURLToPath } from "node:url";

import { JOINT } from "../test/conformance/checklist.ts";
import type { Outcome, TestName, TestRun } from "../test/conformance/checklist.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Of several tests with the same name, the worst outcome counts. */
const WEIGHTS = { passed: 0, skipped: 1, failed: 2 };

/** Collects the outcomes of tests, and of suites that were skipped. */
export class TestRecord implements TestRun {
  readonly files = new Set<string>();
  readonly #outcomes = new Map<string, Outcome>();
  readonly #begun: string[] = [];
  #file = "";

  /** Adds an event of the runner. Events must be added in order. */
  add({ type, data }: TestEvent): void {
    if (type === "test:start") {
      this.#begun.length = data.nesting;
      this.#begun.push(data.name);
      if (data.nesting === 0) this.#file = sourceOf(data.file ?? data.name);
    }
    if (type !== "test:pass" && type !== "test:fail") return;
    const outcome = outcomeOf(type, data);
    if (data.details.type === "suite" && outcome.kind !== "skipped") return;
    const name = [...this.#begun.slice(0, data.nesting), data.name].join(JOINT);
    this.files.add(this.#file);
    this.#keep(keyOf({ file: this.#file, name }), outcome);
  }

  outcomeOf(test: TestName): Outcome | undefined {
    return this.#outcomes.get(keyOf(test));
  }

  #keep(key: string, outcome: Outcome): void {
    const before = this.#outcomes.get(key);
    if (before && WEIGHTS[before.kind] >= WEIGHTS[outcome.kind]) return;
    this.#outcomes.set(key, outcome);
  }
}

function outcomeOf(
  type: "test:pass" | "test:fail",
  { skip, todo }: { readonly skip?: string | boolean; readonly todo?: string | boolean },
): Outcome {
  // The runner lets a `todo` test fail, so it proves nothing.
  const excuse = skip ?? todo;
  if (excuse !== undefined && excuse !== false)
    return { kind: "skipped", reason: typeof excuse === "string" ? excuse : undefined };
  return { kind: type === "test:pass" ? "passed" : "failed" };
}

/** Returns the source of a compiled file, relative to the package's folder. */
function sourceOf(file: string): string {
  const path = file.startsWith("file:") ? fileURLToPath(file) : file;
  return relative(ROOT, path)
    .replace(/^dist\//, "")
    .replace(/\.js$/, ".ts");
}

function keyOf({ file, name }: TestName): string {
  return `${file}${JOINT}${name}`;
}
