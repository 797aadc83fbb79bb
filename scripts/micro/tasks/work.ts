/**
 * The tasks of the task measurement.
 *
 * Runs on: a thread of the task pool.
 */

import { defineTasks } from "../../../src/index.ts";
import { burn } from "./burn.ts";

export default defineTasks({ burn });
