/**
 * `npm run platforms`: tries the packed package on each version of Node.js, with one engine.
 *
 *   npm run platforms -- --engine portable --save   tries it, and writes it into the table of the documents
 *   npm run platforms -- --node /usr/bin/node       with this Node.js only, such as one for musl
 *
 * One more row has the native engine's binaries removed, as on a platform that it has no binary for. A row is of the C
 * library that its Node.js uses. About 15 s a row; it needs the npm registry or npm's cache, and Chromium for the
 * browser, which joins once.
 *
 * Runs on: node, after a build. The exit code is 1 if a cell failed for another reason than an engine without a binary.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { NODE_VERSIONS } from "../../src/node-version.ts";
import { noBrowser } from "../../test/support/browser.ts";
import { buildAt, nodeBuild, type NodeBuild } from "./node-builds.ts";
import { tryCell } from "./platform-cell.ts";
import {
  ENGINES,
  readPlatforms,
  withTried,
  writePlatforms,
  type EngineName,
  type PlatformRow,
} from "./platform-table.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PACK_DEADLINE_MS = 120_000;
const WITHOUT_BINARIES = "no native binary, as on musl";
/** Prints the C library: its name, and its version if it tells it. */
const LIBRARY = `
  const { glibcVersionRuntime } = process.report.getReport().header;
  console.log(glibcVersionRuntime ? "glibc " + glibcVersionRuntime : process.platform === "linux" ? "musl" : process.platform);`;

const { values } = parseArgs({
  options: {
    engine: { type: "string", default: "native" },
    node: { type: "string" },
    save: { type: "boolean", default: false },
  },
});
const engine = engineNamed(values.engine);
const folder = mkdtempSync(join(tmpdir(), "simurgh-platforms-"));
try {
  const tried = await tryAll(values.node);
  if (values.save) writePlatforms(withTried(readPlatforms(), tried));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function tryAll(node: string | undefined): Promise<PlatformRow[]> {
  if (noBrowser !== false) say(`no browser joins: ${noBrowser}`);
  const tarball = packed();
  const builds =
    node === undefined ? NODE_VERSIONS.map((major) => nodeBuild(major, say)) : [buildAt(node)];
  const rows: PlatformRow[] = [];
  for (const [at, build] of builds.entries()) {
    const hasBrowser = at === 0 && noBrowser === false;
    rows.push(await rowOf(build, tarball, hasBrowser, false));
  }
  const [oldest] = builds;
  if (node === undefined && oldest) rows.push(await rowOf(oldest, tarball, false, true));
  return rows;
}

async function rowOf(
  build: NodeBuild,
  tarball: string,
  hasBrowser: boolean,
  isWithoutBinaries: boolean,
): Promise<PlatformRow> {
  const library = isWithoutBinaries ? WITHOUT_BINARIES : `${libraryOf(build)}, ${process.arch}`;
  const cellFolder = join(folder, `${build.version}-${isWithoutBinaries ? "none" : "all"}`);
  const plan = { build, engine, tarball, isWithoutBinaries, hasBrowser };
  const result = await tryCell(cellFolder, plan);
  say(`Node.js ${build.version}, ${library}, ${engine}: ${result}`);
  if (!/^(?:joined|joined, by a browser too|SIM_ERR_ENGINE_UNAVAILABLE)$/.test(result))
    process.exitCode = 1;
  const date = new Date().toISOString().slice(0, 10);
  return { node: build.version, library, engines: { [engine]: { result, date } } };
}

function packed(): string {
  const words = ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder];
  const { status, stdout, stderr } = spawnSync("npm", words, {
    cwd: ROOT,
    encoding: "utf8",
    timeout: PACK_DEADLINE_MS,
  });
  if (status !== 0) throw new Error(`npm pack must succeed, got ${stderr}`);
  return join(folder, stdout.trim().split("\n").at(-1) ?? "");
}

function libraryOf({ file }: NodeBuild): string {
  return spawnSync(file, ["-e", LIBRARY], { encoding: "utf8" }).stdout.trim();
}

function engineNamed(name: string): EngineName {
  const found = ENGINES.find((each) => each === name);
  if (found !== undefined) return found;
  throw new Error(`--engine must be ${ENGINES.join(" or ")}, got ${name}`);
}

function say(line: string): void {
  console.log(`platforms: ${line}`);
}
