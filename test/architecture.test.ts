/**
 * The rules of the layout, which no type checker keeps: who may import whom, and what a file says
 * of itself.
 *
 * Runs on: the test's thread; reads the sources.
 */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

/** Each folder of src, and the folders that it may import from. Arrows only point down. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  cli: ["server", "output", "demo", "token", "postgres"],
  demo: ["index"],
  server: [
    "shard",
    "tasks",
    "endpoint",
    "transport",
    "limits",
    "history",
    "pubsub",
    "protocol",
    "output",
    "memory",
  ],
  testing: ["index", "raw", "solo", "endpoint", "protocol"],
  solo: [
    "shard",
    "tasks",
    "endpoint",
    "transport",
    "socket",
    "channel",
    "callbacks",
    "limits",
    "presence",
    "history",
    "pubsub",
    "memory",
    "protocol",
  ],
  shard: [
    "app",
    "tasks",
    "endpoint",
    "transport",
    "socket",
    "channel",
    "callbacks",
    "limits",
    "presence",
    "history",
    "pubsub",
    "output",
    "memory",
    "protocol",
    "token",
  ],
  tasks: ["app", "channel", "output", "memory"],
  app: ["endpoint"],
  endpoint: [
    "transport",
    "socket",
    "channel",
    "callbacks",
    "pubsub",
    "presence",
    "protocol",
    "token",
  ],
  transport: ["socket", "channel", "callbacks", "limits", "memory", "protocol", "token"],
  socket: ["channel", "callbacks", "limits", "pubsub", "memory", "protocol"],
  channel: ["callbacks", "limits", "pubsub", "memory", "protocol"],
  callbacks: ["protocol"],
  limits: ["memory"],
  output: ["memory"],
  presence: ["pubsub", "memory"],
  history: ["pubsub", "memory"],
  pubsub: ["memory", "protocol"],
  client: ["endpoint", "channel"],
  postgres: ["raw"],
  protocol: [],
  memory: [],
  token: [],
};

/** Files in src itself, which every folder may import: tables, errors and checks. */
const TABLES = [
  "backoff.ts",
  "errors.ts",
  "error-report.ts",
  "cut-text.ts",
  "definition-checks.ts",
  "held-bytes.ts",
  "json-loss.ts",
  "nearest-name.ts",
  "node-version.ts",
  "optional-package.ts",
  "package-copy.ts",
  "telemetry.ts",
];

/** What the package exports: names of any folder. */
const PUBLIC = ["index.ts", "raw.ts"];

/** Parts that only use what the package exports, as those of users do. */
const CONTRACT_ONLY = /^transport\/sse\//;
/** The files that export it. */
const CONTRACT = ["index.ts", "raw.ts", "token/index.ts"];

/** Folders of tables, of which the same holds. */
const TABLE_FOLDERS = ["options", "log"];

/** Folders of which another may import single files only. */
const ONLY_FILES: Readonly<Record<string, readonly string[]>> = {
  "server -> shard": ["shard/control.ts", "shard/forced-end.ts"],
  "server -> endpoint": ["endpoint/app-types.ts", "endpoint/outgoing-schemas.ts"],
  "server -> history": ["history/history-file.ts"],
  "server -> limits": ["limits/clock.ts", "limits/address-key.ts"],
  "server -> tasks": ["tasks/task-pool.ts", "tasks/task-messages.ts"],
  "server -> transport": [
    "transport/engine/engine.ts",
    "transport/engine/engine-port.ts",
    "transport/engine/listener-port.ts",
    "transport/engine/tls-files.ts",
    "transport/http/framing.ts",
    "transport/http/path.ts",
    "transport/http/trusted-proxies.ts",
    "transport/tcp-connections.ts",
  ],
  "transport -> memory": ["memory/counters.ts", "memory/counters-layout.ts"],
  "socket -> memory": ["memory/counters.ts", "memory/counters-layout.ts"],
  "presence -> memory": ["memory/counters.ts", "memory/counters-layout.ts"],
  "channel -> memory": ["memory/counters.ts", "memory/counters-layout.ts"],
};

/** Files that run on a thread of their own: whoever imported one would run it. */
const ENTRIES =
  /^(?:shard\/(?:entry|keeper-entry|link-entry)|output\/writer-entry|tasks\/task-worker|app\/typescript-hooks)\.ts$/;

/** What is declared low and implemented high: never a value to import. */
const PORT = /^\/\*\*\n \* PORT:/;

/** Who may name the native engine's package: what loads it, its types, and the advice to install it. */
const ENGINE_IMPORTERS = [
  "transport/engine/native/native-package.ts",
  "transport/engine/native/platform.ts",
  "transport/engine/native/uws-types.ts",
];
/** What only one engine knows. */
const ENGINE_FOLDERS = /^transport\/engine\/(?:native|portable)\//;
const ENGINE = /\b(?:from\s+|import\(|require\()\s*["']uWebSockets\.js/;

const FORBIDDEN_NAMES = /(?:^|\/)(?:utils|common|helpers)(?:\/|\.ts$)|(?:^|\/)types\.ts$/;

const SRC = resolve(dirname(fileURLToPath(import.meta.url)), "../../src");
const IMPORT = /^(?:import|export)\s+(type\s)?[^"';]*?(?:from\s*)?["'](\.[^"']+)["']/gm;
const DYNAMIC_IMPORT = /\bimport\(\s*["'](\.[^"']+)["']/g;

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

const FILES = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .toSorted();
const SOURCES = new Map(FILES.map((path) => [path, readFileSync(join(SRC, path), "utf8")]));
const IMPORTS_OF = new Map(FILES.map((from) => [from, importsOf(from)]));
const IMPORTS = [...IMPORTS_OF.values()].flat();

function importsOf(from: string): Import[] {
  const source = SOURCES.get(from) ?? "";
  const made = (specifier: string, isType: boolean): Import => {
    const to = relative(SRC, resolve(SRC, dirname(from), specifier));
    return { from, to, isType };
  };
  return [
    ...[...source.matchAll(IMPORT)].map(([, type, to]) => made(to as string, type !== undefined)),
    ...[...source.matchAll(DYNAMIC_IMPORT)].map(([, to]) => made(to as string, false)),
  ];
}

/** Name of a file's folder; of a file right in src, its own. */
function folderOf(path: string): string {
  return path.includes("/") ? (path.split("/", 1)[0] as string) : basename(path, ".ts");
}

function isTable(path: string): boolean {
  return TABLES.includes(path) || TABLE_FOLDERS.includes(folderOf(path));
}

function isAllowed({ from, to }: Import): boolean {
  const [here, there] = [folderOf(from), folderOf(to)];
  if (isTable(to) || PUBLIC.includes(from) || here === there) return true;
  if (!(MAY_IMPORT[here] ?? []).includes(there)) return false;
  return ONLY_FILES[`${here} -> ${there}`]?.includes(to) ?? true;
}

/** Returns the groups of files that import each other, directly or through others. */
function circles(): string[][] {
  const reached = new Map(FILES.map((file) => [file, reachedFrom(file)]));
  const isReached = (from: string, to: string): boolean => reached.get(from)?.has(to) ?? false;
  const found: string[][] = [];
  for (const file of FILES) {
    if (!isReached(file, file) || found.some((circle) => circle.includes(file))) continue;
    found.push(FILES.filter((other) => isReached(file, other) && isReached(other, file)));
  }
  return found;
}

/** Returns all files that a file imports, directly or through others. */
function reachedFrom(start: string): Set<string> {
  const reached = new Set<string>();
  const open = [start];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    for (const { to } of IMPORTS_OF.get(file) ?? []) {
      if (reached.has(to)) continue;
      reached.add(to);
      open.push(to);
    }
  }
  return reached;
}

describe("src", () => {
  it("imports only downwards", () => {
    const wrong = IMPORTS.filter((one) => !isAllowed(one));
    assert.deepEqual(
      wrong.map(({ from, to }) => `${from} imports ${to}`),
      [],
    );
    // So that a pattern that finds nothing any more is noticed.
    assert.ok(IMPORTS.length > FILES.length, `${IMPORTS.length} imports in ${FILES.length} files`);
  });

  it("imports in no circle, types included", () => {
    assert.deepEqual(circles(), []);
  });

  it("has tables that import no folder", () => {
    const wrong = IMPORTS.filter(({ from, to }) => isTable(from) && !isTable(to));
    assert.deepEqual(
      wrong.map(({ from, to }) => `${from} imports ${to}`),
      [],
    );
  });

  it("imports ports as types", () => {
    const ports = FILES.filter((path) => PORT.test(SOURCES.get(path) ?? ""));
    assert.ok(ports.includes("channel/connection.ts") && ports.includes("pubsub/adapter.ts"));
    const wrong = IMPORTS.filter(({ to, isType }) => ports.includes(to) && !isType);
    assert.deepEqual(
      wrong.map(({ from, to }) => `${from} imports ${to}`),
      [],
    );
  });

  it("imports entries of threads as types", () => {
    const wrong = IMPORTS.filter(({ to, isType }) => ENTRIES.test(to) && !isType);
    assert.deepEqual(
      wrong.map(({ from, to }) => `${from} imports ${to}`),
      [],
    );
  });

  it("imports the engine in the loader and its types only", () => {
    const importers = FILES.filter((path) => ENGINE.test(SOURCES.get(path) ?? ""));
    assert.deepEqual(importers, ["transport/engine/native/uws-types.ts"]);
    const loaders = FILES.filter((path) => SOURCES.get(path)?.includes('"uWebSockets.js"'));
    assert.deepEqual(
      loaders.filter((path) => !ENGINE_IMPORTERS.includes(path)),
      [],
    );
  });

  it("imports an engine's own files in its folder and in the loader only", () => {
    const own = IMPORTS.filter(({ to }) => ENGINE_FOLDERS.test(to));
    const wrong = own.filter(
      ({ from, to }) => dirname(from) !== dirname(to) && from !== "transport/engine/engine.ts",
    );
    assert.ok(own.length > 0);
    assert.deepEqual(
      wrong.map(({ from, to }) => `${from} imports ${to}`),
      [],
    );
  });

  it("builds transports on the contract alone that say so", () => {
    const exported = new Set(
      IMPORTS.filter(({ from }) => CONTRACT.includes(from)).map(({ to }) => to),
    );
    const ofContract = IMPORTS.filter(({ from }) => CONTRACT_ONLY.test(from));
    const wrong = ofContract.filter(
      ({ from, to }) => dirname(from) !== dirname(to) && !isTable(to) && !exported.has(to),
    );
    assert.ok(ofContract.length > 0);
    assert.deepEqual(
      wrong.map(({ from, to }) => `${from} imports ${to}`),
      [],
    );
  });

  it("has each file say what it is, and on which thread it runs", () => {
    const silent = FILES.filter((path) => !isHeaded(path, SOURCES.get(path) ?? ""));
    assert.deepEqual(silent, []);
  });

  it("has no drawer for odds and ends", () => {
    assert.deepEqual(
      FILES.filter((path) => FORBIDDEN_NAMES.test(path)),
      [],
    );
  });

  it("has exactly the folders and files that its tables name", () => {
    const folders = FILES.filter((path) => path.includes("/")).map(folderOf);
    assert.deepEqual(
      [...new Set(folders)].toSorted(),
      [...Object.keys(MAY_IMPORT), ...TABLE_FOLDERS].toSorted(),
    );
    const known = new Set(FILES.map(folderOf));
    const allowed = Object.values(MAY_IMPORT).flat();
    const limited = Object.keys(ONLY_FILES).flatMap((arrow) => arrow.split(" -> "));
    assert.deepEqual(
      [...allowed, ...limited].filter((folder) => !known.has(folder)),
      [],
    );
    const named = [...TABLES, ...PUBLIC, ...ENGINE_IMPORTERS, ...Object.values(ONLY_FILES).flat()];
    assert.deepEqual(
      named.filter((path) => !SOURCES.has(path)),
      [],
    );
  });

  it("has the table of imports in its README", () => {
    const readme = readFileSync(join(SRC, "README.md"), "utf8");
    const rows = [...readme.matchAll(/^\| `([\w-]+)\/` \| ([^|]*) \|/gm)].map(
      ([, folder, allowed]) =>
        [folder, [...(allowed as string).matchAll(/`([\w-]+)/g)].map(([, name]) => name)] as const,
    );
    assert.deepEqual(Object.fromEntries(rows), MAY_IMPORT);
  });
});

function isHeaded(path: string, source: string): boolean {
  if (PUBLIC.includes(path)) return true;
  const [, header = ""] = /^(?:#![^\n]*\n)?\/\*\*\n([\s\S]*?)\*\//.exec(source) ?? [];
  const [, first = ""] = /^ \* (.*)$/m.exec(header) ?? [];
  return first.length > 0 && header.includes("Runs on:");
}
