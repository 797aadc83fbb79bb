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
import { AppWatch } from "./app-watch.ts";
import type { Command } from "./command.ts";
import { optionsOf, parseArguments } from "./flags.ts";
import { runInForeground } from "./foreground.ts";
import { packageVersion } from "./version.ts";

const SWITCHES = ["watch"] as const;
/** While an app is written: two show what is between shards, and more take longer to reload. */
const WATCHED_SHARDS = "2";

/** The command `serve`. */
export const serveCommand: Command = {
  name: "serve",
  usage: "<app module> [options]",
  about: "serves an app; --watch: reloads it",
  details: [
    "The module (.js, .mjs, .ts, .mts) exports what defineEndpoint gives as default.",
    "With --watch, for development only, the shards are restarted when it is saved,",
    "or what it imports, or its tasks; 2 shards and log level warn, unless you set",
    "them.",
  ],
  switches: SWITCHES,

  async run(args) {
    const given = parseArguments("serve", args, SWITCHES);
    const [file, ...rest] = given.positionals;
    if (file === undefined || rest.length > 0) {
      const got = file === undefined ? "none" : given.positionals.join(" ");
      throw invalidOption(`serve must have one app module, got ${got}`);
    }
    const isWatched = given.switches.includes("watch");
    const defaults = isWatched
      ? { [OPTIONS.shards.env]: WATCHED_SHARDS, [OPTIONS.logLevel.env]: "warn" }
      : {};
    const options = optionsOf(given, process.env, defaults);
    const app = file.startsWith("file:") ? fileURLToPath(file) : resolve(file);
    const title = `simurgh ${packageVersion()} serves ${file}`;
    // One that is not there is no app that is still to be corrected: serve says so.
    const watch = isWatched && isThere(app) ? new AppWatch(app) : undefined;
    await runInForeground({ ...options, app }, title, watch);
  },
};

function isThere(app: string): boolean {
  return existsSync(app) || existsSync(app.replace(/js$/, "ts"));
}
