/**
 * Prepares what the planned tests need besides Node.js: Chromium for tests with a browser, Redis for tests of
 * linked nodes, nginx for the test of its configuration, and the load generator in `native-bench` for tests of load
 * tests.
 *
 * The imports of a test file from `test/support` show what it needs. On Debian, the packages are installed
 * with apt-get if that needs no password; SIMURGH_NO_INSTALL=1 prevents it. The load generator is built here because
 * test files that build it at the same time would interfere. If something is missing, the tests that need it are
 * skipped, with the reason printed.
 *
 * Runs on: the runner's process, before the tests.
 */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

import { noCompiler } from "../test/support/compiler.ts";
import { buildGenerator } from "./bench/generator.ts";
import type { TestFile } from "./test-plan.ts";

/** A Debian package, the files that tests use of it (one of these is enough), and who needs it. */
interface Package {
  readonly name: string;
  readonly files: readonly string[];
  /** Import that shows that a test file needs it. */
  readonly support: string;
  readonly tests: string;
  /** Whether it starts a service, unless the machine forbids that, as containers do. */
  readonly hasService?: true;
}

const PACKAGES: readonly Package[] = [
  {
    name: "chromium",
    files: ["/usr/bin/chromium"],
    support: "support/browser.ts",
    tests: "the browser tests",
  },
  {
    // Not redis-server, which installs a service: see test/support/redis.ts.
    name: "redis-tools",
    files: ["/usr/bin/redis-server", "/usr/bin/redis-check-rdb"],
    support: "support/redis.ts",
    tests: "the tests with Redis",
  },
  {
    name: "nginx-light",
    files: ["/usr/sbin/nginx"],
    support: "support/nginx.ts",
    tests: "the tests with nginx",
    hasService: true,
  },
  {
    name: "postgresql",
    files: ["/usr/lib/postgresql"],
    support: "support/postgres.ts",
    tests: "the tests with PostgreSQL",
    hasService: true,
  },
];
/** A program of Debian that decides whether services may be started. */
const SERVICE_POLICY = "/usr/sbin/policy-rc.d";
const GENERATOR = "support/compiler.ts";
const UPDATE_MS = 120_000;
const INSTALL_MS = 420_000;

/**
 * Prepares the tests of some files.
 *
 * @param mayInstall - false: what would have to be installed is left out, as if that were not possible
 */
export function prepareTests(files: readonly TestFile[], mayInstall: boolean): void {
  const needs = (support: string): boolean => files.some(({ source }) => source.includes(support));
  const missing = PACKAGES.filter((each) => isMissing(each) && needs(each.support));
  if (missing.length > 0) {
    const problem = mayInstall ? problemOf() : "--quick installs nothing";
    if (problem === undefined) install(missing.filter((each) => serviceOf(each) === undefined));
    for (const each of missing.filter(isMissing)) {
      const why = problem ?? serviceOf(each) ?? "apt-get could not install it";
      say(`${each.name} is missing, so ${each.tests} are skipped: ${why}`);
    }
  }
  if (noCompiler === false && needs(GENERATOR)) buildGenerator();
}

function isMissing({ files }: Package): boolean {
  return !files.some((file) => existsSync(file));
}

/** Returns why a package is not installed although others are; undefined if it is. */
function serviceOf({ hasService }: Package): string | undefined {
  return hasService && !existsSync(SERVICE_POLICY)
    ? "it would start a service; install it with apt-get"
    : undefined;
}

/** Returns why nothing may be installed here; undefined if it may. */
function problemOf(): string | undefined {
  if (process.env["SIMURGH_NO_INSTALL"]) return "SIMURGH_NO_INSTALL is set";
  // On other systems these packages have other names or contents.
  if (!isDebian() || !has("apt-get")) return "it is installed automatically on Debian only";
  if (isRoot() || (has("sudo") && run(["sudo", "-n", "true"], 10_000))) return undefined;
  return "it needs root, or sudo without a password; install it with apt-get";
}

function install(packages: readonly Package[]): void {
  if (packages.length === 0) return;
  const list = packages.map(({ name, tests }) => `${name} for ${tests}`).join(", ");
  say(`installing Debian's ${list} (once; SIMURGH_NO_INSTALL=1 skips this)`);
  const prefix = isRoot() ? ["env"] : ["sudo", "-n", "env"];
  const apt = [
    ...prefix,
    "DEBIAN_FRONTEND=noninteractive",
    "apt-get",
    "-qq",
    "-o",
    "Acquire::Retries=3",
  ];
  run([...apt, "update"], UPDATE_MS);
  // One by one, so that a failure does not affect the others.
  for (const { name } of packages)
    run([...apt, "install", "-y", "--no-install-recommends", name], INSTALL_MS);
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function isDebian(): boolean {
  const file = "/etc/os-release";
  return existsSync(file) && /^ID=debian$/m.test(readFileSync(file, "utf8"));
}

function has(program: string): boolean {
  return run(["sh", "-c", `command -v ${program}`], 10_000);
}

function run([program = "", ...args]: readonly string[], timeout: number): boolean {
  return spawnSync(program, args, { stdio: "ignore", timeout }).status === 0;
}

function say(text: string): void {
  console.log(`npm test: ${text}`);
}
