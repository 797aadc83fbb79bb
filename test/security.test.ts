/**
 * SECURITY.md names every limit that a client can reach, with its default, and only options, faults and tests that
 * exist.
 *
 * Runs on: the test's thread; reads the document.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { FAULTS } from "../scripts/chaos/faults.ts";
import { OPTIONS } from "../src/index.ts";
import type { OptionName } from "../src/options/options.ts";
import { EXIT } from "../src/server/process-end.ts";

const TEXT = readFileSync(new URL("../../SECURITY.md", import.meta.url), "utf8");

/** Options that limit nothing that a client can do. A new option must be added here or to SECURITY.md. */
const NOT_OF_CLIENTS: ReadonlySet<OptionName> = new Set([
  "clusterName",
  "clusterUrl",
  "coalesceMs",
  "controlTimeoutMs",
  "drainBatch",
  "drainDelayMs",
  "drainIntervalMs",
  "drainJitterPercent",
  "drainLimitMs",
  "drainMs",
  "engine",
  "historyFile",
  "historyThreads",
  "host",
  "indexBits",
  "logLevel",
  "nodeName",
  "port",
  "presenceDeltaSize",
  "presenceDownMs",
  "presenceFetchMs",
  "presencePeriodMs",
  "presencePermdownMs",
  "presenceSilentPeriods",
  "secretKeyBase",
  "shards",
  "shutdownMs",
  "startTimeoutMs",
  "taskThreads",
  "tlsCert",
  "tlsKey",
]);

interface Row {
  readonly env: string | undefined;
  readonly fallback: string;
  readonly tests: string;
}

/** The rows of the tables of limits. */
function rows(): Row[] {
  const [, limits = ""] = TEXT.split("## What a client can do to others");
  return [...limits.matchAll(/^\|(.*)\|$/gm)]
    .map(([, row = ""]) => row.split("|").map((cell) => cell.trim()))
    .filter((cells) => cells.length === 5 && !/^(?:Limit|-+)$/.test(cells[0] ?? ""))
    .map(([, option = "", fallback = "", , tests = ""]) => ({
      env: /^`(SIMURGH_[A-Z_]+)`$/.exec(option)?.[1],
      fallback,
      tests,
    }));
}

/** Writes a default as the document does. */
function written(value: number, unit: string): string {
  const scaled = (size: number, name: string): string | undefined =>
    value > 0 && value % size === 0 ? `${value / size} ${name}` : undefined;
  const count = value.toLocaleString("en-US");
  switch (unit) {
    case "bytes":
      return scaled(1_048_576, "MiB") ?? scaled(1_024, "KiB") ?? `${count} bytes`;
    case "ms":
      return scaled(86_400_000, "days") ?? scaled(1_000, "s") ?? `${count} ms`;
    case "MiB":
    case "levels":
      return `${count} ${unit}`;
    default:
      return count;
  }
}

describe("the limits of SECURITY.md", () => {
  it("are all that a client can reach", () => {
    const listed = new Set(rows().map(({ env }) => env));
    for (const [name, { env }] of Object.entries(OPTIONS)) {
      const isOfClients = !NOT_OF_CLIENTS.has(name as OptionName);
      assert.equal(listed.has(env), isOfClients, name);
    }
  });

  it("have the defaults of the options", () => {
    for (const { env, fallback } of rows()) {
      const option = Object.values(OPTIONS).find((one) => one.env === env);
      if (option?.kind !== "integer" || option.default === "auto") continue;
      const wanted = written(option.default, option.unit);
      assert.match(fallback, new RegExp(`^${wanted}(?!\\d|,\\d)`), env);
    }
  });

  it("are each shown by a test", () => {
    for (const { env, fallback, tests } of rows()) {
      assert.match(tests, /\]\((?:test\/[^)]+\.test\.ts)\)/, env ?? fallback);
    }
  });
});

describe("SECURITY.md", () => {
  it("names options that exist", () => {
    const known = new Set<string>(Object.values(OPTIONS).map(({ env }) => env));
    const named = [...TEXT.matchAll(/`(SIMURGH_[A-Z_]+)`/g)].map(([, name]) => name ?? "");
    assert.ok(named.length > 20);
    assert.deepEqual(
      [...new Set(named)].filter((name) => !known.has(name)),
      [],
    );
  });

  it("names faults of npm run chaos that exist", () => {
    const known = new Set(FAULTS.map(({ name }) => name));
    const named = [...TEXT.matchAll(/chaos: ((?:`[a-z0-9-]+`(?:, )?)+)/g)]
      .flatMap(([, list = ""]) => list.split(", "))
      .map((name) => name.replaceAll("`", ""));
    assert.ok(named.length > 5);
    assert.deepEqual(
      named.filter((name) => !known.has(name)),
      [],
    );
  });

  it("names every exit code", () => {
    const named = [...TEXT.matchAll(/^\| (\d+) +\|/gm)].map(([, code]) => Number(code));
    assert.deepEqual(
      Object.values(EXIT).filter((code) => !named.includes(code)),
      [],
    );
  });
});
