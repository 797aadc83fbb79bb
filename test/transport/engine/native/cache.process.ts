/**
 * Reports that it is ready, waits for the end of its input, makes the copy, and prints its path.
 *
 * Runs on: the main thread of one of several processes that do so at once.
 */

import { readFileSync, writeSync } from "node:fs";

import { relabelledCopy } from "../../../../src/transport/engine/native/cache.ts";

const [source = "", packageFolder = "", temporary = ""] = process.argv.slice(2);
writeSync(1, "ready\n");
readFileSync(0);
process.stdout.write(relabelledCopy(source, { package: packageFolder, temporary }));
