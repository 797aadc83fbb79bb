/**
 * Entry point of the writer's thread.
 *
 * Runs on: the writer's thread.
 */

import { workerData } from "node:worker_threads";

import { OutputWriter, type WriterStart } from "./output-writer.ts";

new OutputWriter(workerData as WriterStart).run();
