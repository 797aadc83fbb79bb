/**
 * The tests of a run and their outcomes, collected from the events of Node.js's test runner.
 *
 * Runs on: the reporter's thread. Owns the names, outcomes and times of all tests of one run.
 *
 * The runner reports tests in the order in which they are defined: the start of a suite, then its tests,
 * then the end of the suite. The suites around a test are therefore those that have started and not ended. A
 * test belongs to the file that starts the outermost suite: a test of a contract belongs to the file that calls
 * the contract within a suite of its own or, without such a suite, to the contract's file.
 */

import type { TestEvent } from "node:test/reporters";

import { JOINT } from "../test/conformance/checklist.ts";
import type { Outcome, TestName, TestRun } from "../test/conformance/checklist.ts";
import { sourceOf, type Failure } from "./test-failures.ts";

/** Of several tests with the same name, the outcome with the highest weight counts. */
const WEIGHTS = { passed: 0, skipped: 1, failed: 2 };
/** Maximum length of the end of a file's stderr output that is kept. */
const STDERR_LENGTH = 4_096;

/** A test and its duration. */
export interface TimedTest extends TestName {
  readonly ms: number;
}

/** Collects the outcomes of tests, and of suites that were skipped. */
export class TestRecord implements TestRun {
  readonly files = new Set<string>();
  readonly failures: Failure[] = [];
  readonly tests: TimedTest[] = [];
  readonly #outcomes = new Map<string, Outcome>();
  readonly #stderr = new Map<string, string>();
  readonly #begun: string[] = [];
  #file = "";

  /** Adds an event of the runner. Events must be added in order. */
  add({ type, data }: TestEvent): void {
    if (type === "test:stderr") this.#keepStderr(sourceOf(data.file ?? ""), data.message);
    if (type === "test:start") {
      this.#begun.length = data.nesting;
      this.#begun.push(data.name);
      if (data.nesting === 0) this.#file = sourceOf(data.file ?? data.name);
    }
    if (type !== "test:pass" && type !== "test:fail") return;
    const outcome = outcomeOf(type, data);
    const name = [...this.#begun.slice(0, data.nesting), data.name].join(JOINT);
    if (outcome.kind === "failed") this.#addFailure(name, data.details);
    if (data.details.type === "suite" && outcome.kind !== "skipped") return;
    this.files.add(this.#file);
    this.tests.push({ file: this.#file, name, ms: data.details.duration_ms });
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

  #keepStderr(file: string, text: string): void {
    const all = (this.#stderr.get(file) ?? "") + text;
    this.#stderr.set(file, all.slice(-STDERR_LENGTH));
  }

  #addFailure(name: string, details: object): void {
    const error: unknown = "error" in details ? details.error : undefined;
    // Skipped, because the failures of the suite's tests are more informative.
    if (isOfSubtests(error)) return;
    const isFile = sourceOf(name) === this.#file;
    this.failures.push({
      file: this.#file,
      name: isFile ? "" : name,
      error,
      stderr: this.#stderr.get(this.#file) ?? "",
    });
  }
}

function isOfSubtests(error: unknown): boolean {
  return error instanceof Error && "failureType" in error && error.failureType === "subtestsFailed";
}

function outcomeOf(
  type: "test:pass" | "test:fail",
  { skip, todo }: { readonly skip?: string | boolean; readonly todo?: string | boolean },
): Outcome {
  // The runner allows a `todo` test to fail, so the test proves nothing.
  const excuse = skip ?? todo;
  if (excuse !== undefined && excuse !== false)
    return { kind: "skipped", reason: typeof excuse === "string" ? excuse : undefined };
  return { kind: type === "test:pass" ? "passed" : "failed" };
}

function keyOf({ file, name }: TestName): string {
  return `${file}${JOINT}${name}`;
}
