/**
 * Prepares what tests need besides Node.js: Chromium for the browser tests, Redis for the tests of linked nodes,
 * and the load generator in `native-bench` for the tests of load tests.
 *
 * On Debian, Chromium and Redis are installed with apt-get if that needs no password; SIMURGH_NO_INSTALL=1
 * prevents it. The load generator is built here because tests that build it at the same time would interfere. If
 * something is missing, the tests that need it are skipped, with the reason printed.
 *
 * Runs on: `npm test`, before the tests.
 */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

/** Debian packages, the files that tests use of them (one of these is enough), and the tests. */
const NEEDS = [
  { name: "chromium", files: ["/usr/bin/chromium"], tests: "the browser tests" },
  {
    // Not redis-server, which installs a service: see test/support/redis.ts.
    name: "redis-tools",
    files: ["/usr/bin/redis-server", "/usr/bin/redis-check-rdb"],
    tests: "the tests with Redis",
  },
];
const UPDATE_MS = 120_000;
const INSTALL_MS = 420_000;
const BUILD_MS = 300_000;
const NATIVE_BENCH = fileURLToPath(new URL("../native-bench", import.meta.url));

const missing = NEEDS.filter(isMissing);
if (missing.length > 0) {
  const problem = problemOf() ?? install(missing);
  for (const { name, tests } of missing.filter(isMissing)) {
    say(
      `${name} is missing, so ${tests} are skipped: ${problem ?? "apt-get could not install it"}`,
    );
  }
}

buildGenerator();

/** Builds the load generator, unless it is up to date or there is no compiler. */
function buildGenerator() {
  if (!has("make") || !has("g++")) return;
  const make = ["make", "-C", NATIVE_BENCH, "--silent", `-j${availableParallelism()}`];
  // `--question` builds nothing, and fails if there is something to build.
  if (run([...make, "--question"], 10_000)) return;
  say("building native-bench (once)");
  if (!run(make, BUILD_MS)) say(`native-bench cannot be built: make -C ${NATIVE_BENCH} says why`);
}

function isMissing({ files }) {
  return !files.some((file) => existsSync(file));
}

/** Returns why nothing may be installed here; undefined if it may. */
function problemOf() {
  if (process.env.SIMURGH_NO_INSTALL) return "SIMURGH_NO_INSTALL is set";
  // On other systems these packages have other names or contents.
  if (!isDebian() || !has("apt-get")) return "it is installed automatically on Debian only";
  if (process.getuid() === 0 || (has("sudo") && run(["sudo", "-n", "true"], 10_000)))
    return undefined;
  return "it needs root, or sudo without a password; install it with apt-get";
}

function install(needs) {
  const list = needs.map(({ name, tests }) => `${name} for ${tests}`).join(", ");
  say(`installing Debian's ${list} (once; SIMURGH_NO_INSTALL=1 skips this)`);
  const prefix = process.getuid() === 0 ? ["env"] : ["sudo", "-n", "env"];
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
  for (const { name } of needs)
    run([...apt, "install", "-y", "--no-install-recommends", name], INSTALL_MS);
}

function isDebian() {
  const file = "/etc/os-release";
  return existsSync(file) && /^ID=debian$/m.test(readFileSync(file, "utf8"));
}

function has(program) {
  return run(["sh", "-c", `command -v ${program}`], 10_000);
}

function run([program, ...args], timeout) {
  return spawnSync(program, args, { stdio: "ignore", timeout }).status === 0;
}

function say(text) {
  console.log(`prepare-tests: ${text}`);
}
