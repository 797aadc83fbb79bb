/**
 * `simurgh serve`: serves an app module.
 *
 * Runs on: main.
 */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { invalidOption } from "../definition-checks.ts";
import { OPTIONS } from "../options/options.ts";
import { commandOfAppsCopy } from "./app-copy.ts";
import { AppWatch } from "./app-watch.ts";
import type { Command } from "./command.ts";
import { optionsOf, parseArguments } from "./flags.ts";
import { runInForeground } from "./foreground.ts";
import { packageVersion } from "./version.ts";

const SWITCHES = { watch: "for development: reloads a saved app" };
/** Default number of shards with --watch: enough to find cross-shard bugs, and quick to reload. */
const WATCHED_SHARDS = "2";

/** The command `serve`. */
export const serveCommand: Command = {
  name: "serve",
  usage: "<app module> [options]",
  about: "serves an app (--watch reloads it)",
  details: [
    "The default export of the module (.js, .mjs, .ts, .mts) must be the result of defineEndpoint. With",
    "--watch, the shards restart when the module, its imports or its tasks are saved; the defaults are",
    "then 2 shards and log level warn.",
  ],
  switches: SWITCHES,

  async run(args) {
    const given = parseArguments("serve", args, Object.keys(SWITCHES));
    const [file, ...rest] = given.positionals;
    if (file === undefined || rest.length > 0) {
      const got = file === undefined ? "none" : given.positionals.join(" ");
      throw invalidOption(`serve must be given one app module, got ${got}`);
    }
    const app = file.startsWith("file:") ? fileURLToPath(file) : resolve(file);
    const command = commandOfAppsCopy(app);
    if (command) {
      process.stdout.write(`simurgh: using the app's own copy, ${fileURLToPath(command)}\n`);
      await import(command.href);
      return;
    }
    const isWatched = given.switches.includes("watch");
    const defaults = isWatched
      ? { [OPTIONS.shards.env]: WATCHED_SHARDS, [OPTIONS.logLevel.env]: "warn" }
      : {};
    const options = optionsOf(given, process.env, defaults);
    const title = `simurgh ${packageVersion()} serves ${file}`;
    // If the module does not exist, do not wait for it: let serve report the error.
    const watch = isWatched && moduleExists(app) ? new AppWatch(app) : undefined;
    await runInForeground({ ...options, app }, title, watch);
  },
};

function moduleExists(app: string): boolean {
  return existsSync(app) || existsSync(app.replace(/js$/, "ts"));
}
