/**
 * A free port for a server that is started again on the same one.
 *
 * Ports that the system chooses are those that it also gives to outgoing connections: between two
 * starts another process may get it. These here lie below.
 *
 * Runs on: the test's thread.
 */

import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

const FIRST = 20_000;
const END = 30_000;
const TRIES = 20;

/** Gives a port that is free now and that no outgoing connection will take. */
export async function lastingPort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = randomInt(FIRST, END);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port from ${FIRST} to ${END} in ${TRIES} tries`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
