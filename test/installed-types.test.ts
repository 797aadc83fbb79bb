/**
 * Apps that import the package from node_modules, and write declarations of their own.
 *
 * Such declarations name every type that the compiler inferred, so the package must export these.
 *
 * Runs on: the test's thread; the compilers are processes of their own.
 * Slow: it installs the packed package and eight releases of TypeScript, and runs each three times.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { InstalledPackage } from "./support/installed.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const README_APP = join(ROOT, "test/examples/embed/app.ts");
const README_MAIN = join(ROOT, "test/examples/embed/main.ts");
const FIXTURES = join(ROOT, "test/fixtures/outside");
const NODE_TYPES = join(ROOT, "node_modules/@types/node");
/** The last release of each minor version, from the oldest that the README names. */
const RELEASES = ["5.4.5", "5.5.4", "5.6.3", "5.7.3", "5.8.3", "5.9.3", "6.0.3", "7.0.2"];
/** Checks the package's declarations too, which `tsc --init` turns off. */
const CHECK_ALL = ["--skipLibCheck", "false", "--module", "nodenext", "--target", "es2022"];

const project = new InstalledPackage();

function nameOf(release: string): string {
  return `typescript-${release}`;
}

/** Runs a compiler, and returns what it says. */
function tsc(release: string, cwd: string, args: readonly string[]): string {
  const compiler = join(project.folder, "node_modules", nameOf(release), "bin/tsc");
  const done = spawnSync(process.execPath, [compiler, ...args], { cwd, encoding: "utf8" });
  assert.notEqual(done.status, null, String(done.error));
  return done.stdout + done.stderr;
}

/**
 * Compiles the app of the README and the fixtures, in a project that `tsc --init` has set up.
 *
 * @returns what the compiler says
 */
function compile(release: string, name: string, flags: readonly string[]): string {
  const folder = join(project.folder, `${name}-${release}`);
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const fixtures = readdirSync(FIXTURES).map((file) => join(FIXTURES, file));
  for (const file of [README_APP, ...fixtures]) copyFileSync(file, join(folder, basename(file)));
  if (flags.includes("node")) {
    copyFileSync(README_MAIN, join(folder, basename(README_MAIN)));
    mkdirSync(join(folder, "node_modules/@types"), { recursive: true });
    symlinkSync(NODE_TYPES, join(folder, "node_modules/@types/node"));
  }
  tsc(release, folder, ["--init"]);
  const said = tsc(release, folder, ["--declaration", "--outDir", "out", ...flags]);
  if (said === "") assert.ok(existsSync(join(folder, "out/app.d.ts")), "no declarations");
  return said;
}

describe("an app with the package in node_modules, and declarations of its own", () => {
  before(() => {
    const compilers = RELEASES.map((release) => `${nameOf(release)}@npm:typescript@${release}`);
    project.install(compilers);
  });

  after(() => project.remove());

  for (const release of RELEASES) {
    project.it(`compiles with TypeScript ${release}, as tsc --init sets it up`, () => {
      assert.equal(compile(release, "init", []), "");
    });

    project.it(
      `compiles with TypeScript ${release} and skipLibCheck off, without Node.js's types`,
      () => {
        assert.equal(compile(release, "all", CHECK_ALL), "");
      },
    );
  }

  for (const release of [RELEASES.at(0), RELEASES.at(-1)] as string[]) {
    project.it(
      `compiles with TypeScript ${release} and skipLibCheck off, with Node.js's types`,
      () => {
        assert.equal(compile(release, "node", [...CHECK_ALL, "--types", "node"]), "");
      },
    );
  }

  it("needs no newer TypeScript than the README says", () => {
    const oldest = (RELEASES[0] as string).split(".", 2).join(".");
    assert.match(
      readFileSync(join(ROOT, "README.md"), "utf8"),
      RegExp(`TypeScript ${oldest} or later`),
    );
  });
});
