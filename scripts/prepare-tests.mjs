/**
 * Installs what tests need besides Node.js: Chromium for the browser tests, and Redis for the tests of
 * nodes that are linked by it.
 *
 * On Debian, apt-get installs them if that needs no password; SIMURGH_NO_INSTALL=1 prevents it. If one
 * is missing, the tests that need it are skipped, with the reason printed.
 *
 * Runs on: `npm test`, before the tests.
 */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** Debian packages, the files that tests use of them (one of these is enough), and the tests. */
const NEEDS = [
  { name: "chromium", files: ["/usr/bin/chromium"], tests: "the browser tests" },
  {
    // Not redis-server, which adds a service that starts by itself (test/support/redis.ts).
    name: "redis-tools",
    files: ["/usr/bin/redis-server", "/usr/bin/redis-check-rdb"],
    tests: "the tests with Redis",
  },
];
const UPDATE_MS = 120_000;
const INSTALL_MS = 420_000;

const missing = NEEDS.filter(isMissing);
if (missing.length > 0) {
  const problem = problemOf() ?? install(missing);
  for (const { name, tests } of missing.filter(isMissing)) {
    say(`no ${name}, so ${tests} are skipped: ${problem ?? "apt-get could not install it"}`);
  }
}

function isMissing({ files }) {
  return !files.some((file) => existsSync(file));
}

/** Returns why nothing can be installed here, or undefined if it can. */
function problemOf() {
  if (process.env.SIMURGH_NO_INSTALL) return "SIMURGH_NO_INSTALL is set";
  // On other systems, packages with these names are missing or are something else.
  if (!isDebian() || !has("apt-get")) return "automatic installation needs Debian";
  if (process.getuid() === 0 || (has("sudo") && run(["sudo", "-n", "true"], 10_000)))
    return undefined;
  return "this user is not root and sudo needs a password; install it with apt-get";
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
