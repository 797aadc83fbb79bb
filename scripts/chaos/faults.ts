/**
 * All faults, in the order in which they are tried.
 *
 * Runs on: the chaos suite's process.
 */

import { BROKER_FAULTS } from "./broker.ts";
import type { Fault } from "./fault.ts";
import { HISTORY_FAULTS } from "./history.ts";
import { PIPE_FAULTS } from "./pipes.ts";
import { PROCESS_FAULTS } from "./process.ts";
import { USER_CODE_FAULTS } from "./user-code.ts";

/** All faults. */
export const FAULTS: readonly Fault[] = [
  ...USER_CODE_FAULTS,
  ...PIPE_FAULTS,
  ...BROKER_FAULTS,
  ...PROCESS_FAULTS,
  ...HISTORY_FAULTS,
];
