/**
 * Prints the messages of a running server to standard output.
 *
 * A message is dropped if nobody reads standard output, or if it is closed: neither may stop the
 * server, or keep it from closing.
 *
 * Runs on: main.
 */

import { Outlet } from "../output/outlet.ts";
import { DESCRIPTORS, STDOUT } from "../output/queue-layout.ts";

const outlet = new Outlet(DESCRIPTORS[STDOUT]);

/** Prints a text and a line feed. */
export function print(text: string): void {
  outlet.write(Buffer.from(`${text}\n`));
}

/** Prints a message. */
export function say(text: string): void {
  print(`simurgh: ${text}`);
}
