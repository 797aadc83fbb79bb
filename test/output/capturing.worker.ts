/**
 * A thread whose output is captured, and that prints in every way.
 *
 * Runs on: a thread of its own.
 */

import { finished, Readable } from "node:stream";
import { parentPort } from "node:worker_threads";

import { captureOutput } from "../../src/output/captured-output.ts";

const taken: (readonly [stream: number, text: string])[] = [];
captureOutput({
  write: (stream, text) => {
    taken.push([stream, typeof text === "string" ? text : Buffer.from(text).toString()]);
    return true;
  },
});

console.log("console.log");
console.error("console.error");
process.stdout.write(Buffer.from("bytes ä\n"));
process.stdout.write("latin1 \u00E4\n", "latin1");
process.stderr.cork();
process.stderr.write("corked 1\n");
process.stderr.write("corked 2\n");
process.stderr.uncork();
// Everything so far was taken at once.
const atOnce = taken.length;
const written = new Promise((resolve) => {
  process.stdout.write("with a callback\n", resolve);
});
await written;
const piped = Readable.from(["piped 1\n", "piped 2\n"]);
piped.pipe(process.stdout, { end: false });
await new Promise((resolve) => {
  finished(piped, resolve);
});
parentPort?.postMessage({ atOnce, taken });
