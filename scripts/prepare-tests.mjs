/**
 * Gets ready what tests need beyond Node.js: Chromium, for those of the demo page.
 *
 * On Debian it is installed with apt-get, where this may be done without a password; set
 * SIMURGH_NO_INSTALL=1 to have nothing installed. Whatever comes of it, the tests run: those that
 * need what is missing are skipped, and say so.
 *
 * Runs on: `npm test`, before the tests.
 */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

const CHROMIUM = "/usr/bin/chromium";
const UPDATE_MS = 120_000;
const INSTALL_MS = 420_000;

if (!existsSync(CHROMIUM)) {
  const problem = problemOf() ?? install();
  if (problem) say(`no ${CHROMIUM}, so the browser tests are skipped: ${problem}`);
}

/** Says why nothing may be installed here; undefined where it may. */
function problemOf() {
  if (process.env.SIMURGH_NO_INSTALL) return "SIMURGH_NO_INSTALL is set";
  // Elsewhere the package of this name is something else, or there is none.
  if (!isDebian() || !has("apt-get")) return "it is installed by itself on Debian only";
  if (process.getuid() === 0 || (has("sudo") && run(["sudo", "-n", "true"], 10_000)))
    return undefined;
  return "neither root nor sudo without a password; apt-get install chromium does it";
}

function install() {
  say("installing Debian's chromium for the browser tests (once; SIMURGH_NO_INSTALL=1 skips this)");
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
  const isDone = run([...apt, "install", "-y", "--no-install-recommends", "chromium"], INSTALL_MS);
  return isDone && existsSync(CHROMIUM) ? undefined : "apt-get could not install it";
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
