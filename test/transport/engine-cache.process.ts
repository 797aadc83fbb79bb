/**
 * Makes the relabelled copy of a binary and prints its path.
 *
 * Runs on: the main thread of one of several processes that do so at once.
 */

import { relabelledCopy } from "../../src/transport/engine-cache.ts";

const [source = "", packageFolder = "", temporary = ""] = process.argv.slice(2);
process.stdout.write(relabelledCopy(source, { package: packageFolder, temporary }));
