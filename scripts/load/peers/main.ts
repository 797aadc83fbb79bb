/**
 * `npm run load:peers`: compares the bare engine, Simurgh and its alternatives under the same
 * workloads.
 *
 * It is `npm run bench` with other defaults; rounds, workloads, figures and the table are the same.
 *
 * Runs on: its own process. Load and servers stay on 127.0.0.1.
 */

import { runCommand } from "../../bench/command.ts";
import { LOAD_PEERS } from "../../bench/options.ts";

await runCommand(LOAD_PEERS);
