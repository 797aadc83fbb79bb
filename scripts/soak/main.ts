/**
 * `npm run soak`: hours of mixed traffic, and what it leaves behind.
 *
 * Runs on: its own process; the server runs in another, the canaries in a thread.
 */

import { runProgram } from "../bench/program.ts";
import { HELP, parseSoakOptions } from "./options.ts";
import { BESIDES_SECONDS, soak } from "./soak.ts";

await runProgram({
  name: "soak",
  help: HELP,
  parse: parseSoakOptions,
  wantsHelp: ({ help }) => help,
  secondsOf: ({ seconds }) => seconds + BESIDES_SECONDS,
  run: soak,
});
