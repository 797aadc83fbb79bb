/**
 * What may be handed over to another thread instead of copied.
 *
 * Read from what takes it, as its name is another one in each release of Node.js's types.
 *
 * Runs on: any thread. Types only.
 */

import type { Worker } from "node:worker_threads";

/** A value that a thread may give away: an ArrayBuffer, a MessagePort, a file's handle and such. */
export type HandedOver = NonNullable<Parameters<Worker["postMessage"]>[1]>[number];
