/**
 * What a channel ends with that cannot get all broadcasts of its topics.
 *
 * Runs on: shard.
 */

import { makeError } from "../errors.ts";

const LOST = "broadcasts of the topic were lost between threads";

/** @param noForm - why a broadcast could not be written; without it, some were lost on their way */
export function missedError(noForm: string | undefined): Error {
  return noForm === undefined
    ? makeError("SIM_ERR_LAPPED", LOST)
    : makeError("SIM_ERR_NO_FORM", noForm);
}
