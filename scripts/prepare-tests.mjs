/**
 * Gets ready what tests need beyond Node.js: Chromium, for those of the demo page, and Redis, for
 * those of nodes that are linked by it.
 *
 * On Debian they are installed with apt-get, where this may be done without a password; set
 * SIMURGH_NO_INSTALL=1 to have nothing installed. Whatever comes of it, the tests run: those that
 * need what is missing are skipped, and say so.
 *
 * Runs on: `npm test`, before the tests.
 */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** Debian's packages, what tests use of them (any of these files will do), and which tests. */
const NEEDS = [
  { name: "chromium", files: ["/usr/bin/chromium"], tests: "the browser tests" },
  {
    // Not redis-server, which adds a service that starts by itself: test/support/redis.ts.
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

/** Says why nothing may be installed here; undefined where it may. */
function problemOf() {
  if (process.env.SIMURGH_NO_INSTALL) return "SIMURGH_NO_INSTALL is set";
  // Elsewhere the packages of these names are something else, or there are none.
  if (!isDebian() || !has("apt-get")) return "it is installed by itself on Debian only";
  if (process.getuid() === 0 || (has("sudo") && run(["sudo", "-n", "true"], 10_000)))
    return undefined;
  return "neither root nor sudo without a password; apt-get install does it";
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
  // One by one: what one of them lacks is no reason to do without the others.
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
