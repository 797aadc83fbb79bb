/**
 * `simurgh serve`: serves an app module.
 *
 * Runs on: main.
 */

import { resolve } from "node:path";

import { makeError } from "../errors.ts";
import type { Command } from "./command.ts";
import { optionsOf, parseArguments } from "./flags.ts";
import { runInForeground } from "./foreground.ts";
import { packageVersion } from "./version.ts";

/** The command `serve`. */
export const serveCommand: Command = {
  name: "serve",
  usage: "<app module> [options]",
  about: "serves an app",
  details: ["The module (.js, .mjs, .ts, .mts) exports what defineEndpoint gives as default."],

  async run(args) {
    const given = parseArguments("serve", args);
    const [file, ...rest] = given.positionals;
    if (file === undefined || rest.length > 0) {
      const got = file === undefined ? "none" : given.positionals.join(" ");
      throw makeError("SIM_ERR_OPTION_INVALID", `serve must have one app module, got ${got}`);
    }
    const options = optionsOf(given, process.env);
    const app = file.startsWith("file:") ? file : resolve(file);
    await runInForeground({ ...options, app }, `simurgh ${packageVersion()} serves ${file}`);
  },
};
