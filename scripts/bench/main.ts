/**
 * `npm run bench`: runs the servers in turn under the same load and shows ratios to the bare engine.
 *
 * Absolute times say little on a shared machine; the ratio within a round is more reliable.
 *
 * Runs on: its own process. Load and servers stay on 127.0.0.1.
 */

import { runCommand } from "./command.ts";
import { BENCH } from "./options.ts";

await runCommand(BENCH);
