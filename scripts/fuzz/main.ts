/**
 * `npm run fuzz`: sends broken traffic to a server, and checks that the server and its other clients
 * are unharmed.
 *
 * Runs on: its own process; the server runs in another, the canaries in a thread.
 */

import { runProgram } from "../bench/program.ts";
import { fuzz, secondsOfFuzz } from "./fuzz.ts";
import { HELP, parseFuzzOptions } from "./options.ts";

await runProgram({
  name: "fuzz",
  help: HELP,
  parse: parseFuzzOptions,
  wantsHelp: ({ help }) => help,
  secondsOf: secondsOfFuzz,
  run: fuzz,
});
