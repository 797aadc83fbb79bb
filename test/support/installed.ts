/**
 * A project outside of the repository in which the packed package is installed, as a user installs it.
 *
 * Other packages come from npm's cache, or from the registry.
 *
 * Runs on: the test's thread; npm is a process of its own.
 */

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PACK_MS = 120_000;
const INSTALL_MS = 600_000;
const RUN_MS = 60_000;

/** What package managers report if they have a package neither in their cache nor from the registry. */
const OFFLINE =
  /\b(?:ENOTCACHED|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|ETIMEDOUT)\b/;

/** Reports whether a package manager failed because it has neither a cache nor a registry. */
export function isOffline(said: string): boolean {
  return OFFLINE.test(said);
}

/** A project with the package in its node_modules. */
export class InstalledPackage {
  readonly folder = mkdtempSync(join(tmpdir(), "simurgh-installed-"));
  #tarball = "";
  /** Why it could not be installed here. */
  #missing: string | undefined;

  /**
   * Packs the package, and installs it.
   *
   * @param others - packages to install beside it, such as `ws@8`
   * @throws Error if npm fails for another reason than a missing cache and registry
   */
  install(others: readonly string[] = []): void {
    if (process.env["SIMURGH_NO_INSTALL"]) {
      this.#missing = "SIMURGH_NO_INSTALL is set";
      return;
    }
    const flags = ["--silent", "--ignore-scripts", "--pack-destination", this.folder];
    const { status, out, err } = npm(ROOT, PACK_MS, "pack", ...flags);
    if (status !== 0) throw new Error(`npm pack: ${err}`);
    this.#tarball = join(this.folder, out.trim().split("\n").at(-1) as string);
    this.installInto(".", others);
  }

  /** Installs the packed package once more, in another folder of the project. @throws as `install` */
  installInto(path: string, others: readonly string[] = []): void {
    if (this.#missing !== undefined) return;
    const folder = join(this.folder, path);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
    const flags = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"];
    const words = ["install", ...flags, this.#tarball, ...others];
    const { status, err } = npm(folder, INSTALL_MS, ...words);
    if (status === 0) return;
    if (!isOffline(err)) throw new Error(`npm install: ${err}`);
    this.#missing = `npm has neither a cache nor a registry for it: ${err.split("\n", 1)[0]}`;
  }

  /** The packed package. */
  get tarball(): string {
    return this.#tarball;
  }

  /** Writes files into the project, by their paths. */
  write(files: Readonly<Record<string, string>>): void {
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.folder, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
  }

  /** Runs Node.js in a folder of the project. @returns what it prints */
  node(path: string, ...words: readonly string[]): string {
    const cwd = join(this.folder, path);
    const options = { cwd, encoding: "utf8", timeout: RUN_MS } as const;
    const { stdout, stderr, error } = spawnSync(process.execPath, words, options);
    return error ? String(error) : stdout + stderr;
  }

  /** Defines a test that needs the installation, and is skipped with the reason without it. */
  it(name: string, run: (test: TestContext) => Promise<void> | void): void {
    it(name, (test: TestContext) =>
      this.#missing === undefined ? run(test) : test.skip(this.#missing),
    );
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function npm(
  cwd: string,
  timeout: number,
  ...words: readonly string[]
): { status: number | null; out: string; err: string } {
  const done = spawnSync("npm", words, { cwd, timeout, encoding: "utf8" });
  const { status, stdout, stderr, error } = done;
  return { status, out: stdout, err: error ? String(error) : stderr };
}
