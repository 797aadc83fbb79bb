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
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PACK_MS = 120_000;
const INSTALL_MS = 600_000;

/** A project with the package in its node_modules. */
export class InstalledPackage {
  readonly folder = mkdtempSync(join(tmpdir(), "simurgh-installed-"));
  /** The packed package. */
  #tarball = "";

  /**
   * Packs the package, and installs it.
   *
   * @param others - packages to install beside it, such as `ws@8`
   * @returns why that is not possible here, or undefined if it is done
   */
  install(others: readonly string[] = []): string | undefined {
    if (process.env["SIMURGH_NO_INSTALL"]) return "SIMURGH_NO_INSTALL is set";
    const packing = npm(
      ROOT,
      PACK_MS,
      "pack",
      "--silent",
      "--ignore-scripts",
      "--pack-destination",
      this.folder,
    );
    if (packing.status !== 0) throw new Error(`npm pack: ${packing.output}`);
    this.#tarball = join(this.folder, packing.output.trim().split("\n").at(-1) as string);
    return this.installInto(".", others);
  }

  /**
   * Installs the packed package once more, in another folder of the project.
   *
   * @returns as `install`
   */
  installInto(path: string, others: readonly string[] = []): string | undefined {
    const folder = join(this.folder, path);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
    const flags = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
    const { status, output } = npm(
      folder,
      INSTALL_MS,
      "install",
      ...flags,
      this.#tarball,
      ...others,
    );
    return status === 0
      ? undefined
      : `npm cannot install from its cache or the registry: ${output}`;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function npm(
  cwd: string,
  timeout: number,
  ...args: readonly string[]
): { status: number | null; output: string } {
  const { status, stdout, stderr, error } = spawnSync("npm", args, {
    cwd,
    timeout,
    encoding: "utf8",
  });
  return { status, output: error ? String(error) : stdout || stderr };
}
