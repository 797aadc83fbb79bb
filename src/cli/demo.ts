/**
 * `simurgh demo`: serves a small chat for trying out the server in a browser.
 *
 * Runs on: main.
 */

import { randomBytes } from "node:crypto";

import { invalidOption } from "../definition-checks.ts";
import { OPTIONS } from "../options/options.ts";
import type { Command } from "./command.ts";
import { optionsOf, parseArguments } from "./flags.ts";
import { runInForeground } from "./foreground.ts";
import { packageVersion } from "./version.ts";

const APP = new URL("../demo/app.js", import.meta.url);
const LOG_LEVEL = "warn";

/** The command `demo`. */
export const demoCommand: Command = {
  name: "demo",
  usage: "[options]",
  about: "serves a demo chat",
  details: ["Open the address in two tabs."],
  defaults: { logLevel: LOG_LEVEL },

  async run(args) {
    const given = parseArguments("demo", args);
    if (given.positionals.length > 0) {
      throw invalidOption(`demo must be given options only, got ${given.positionals.join(" ")}`);
    }
    const options = optionsOf(given, process.env, {
      [OPTIONS.logLevel.env]: LOG_LEVEL,
      // The demo signs no tokens, so do not warn about a random secret.
      [OPTIONS.secretKeyBase.env]: randomBytes(48).toString("base64"),
    });
    await runInForeground({ ...options, app: APP }, `simurgh ${packageVersion()}: demo chat`);
  },
};
