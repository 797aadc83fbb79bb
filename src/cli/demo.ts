/**
 * `simurgh demo`: serves a small chat, to see the server at work in a browser.
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

/** The command `demo`. */
export const demoCommand: Command = {
  name: "demo",
  usage: "[options]",
  about: "serves a chat to try out",
  details: ["Open its address in two tabs. The log level is warn here, unless you set it."],

  async run(args) {
    const given = parseArguments("demo", args);
    if (given.positionals.length > 0) {
      throw invalidOption(`demo must have options only, got ${given.positionals.join(" ")}`);
    }
    const options = optionsOf(given, process.env, {
      [OPTIONS.logLevel.env]: "warn",
      // It makes no tokens, so a secret that ends with the process is no reason for a warning.
      [OPTIONS.secretKeyBase.env]: randomBytes(48).toString("base64"),
    });
    await runInForeground({ ...options, app: APP }, `simurgh ${packageVersion()}: demo chat`);
  },
};
