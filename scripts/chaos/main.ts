/**
 * `npm run chaos`: does harm to servers and checks what follows.
 *
 * Runs on: its own process; servers, brokers and canaries run elsewhere.
 */

import { runProgram } from "../bench/program.ts";
import { chaos, secondsOfFaults } from "./chaos.ts";
import { HELP, parseChaosOptions } from "./options.ts";

await runProgram({
  name: "chaos",
  help: HELP,
  parse: parseChaosOptions,
  wantsHelp: ({ help }) => help,
  secondsOf: secondsOfFaults,
  run: chaos,
});
