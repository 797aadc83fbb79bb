/**
 * Serves one WebSocket route and one HTTP route with the engine until told to stop.
 *
 * Runs on: a worker thread of engine.test.ts.
 */

import { parentPort } from "node:worker_threads";

import { startEcho } from "../../../support/engine-echo.ts";

const port = parentPort;
if (port === null) throw new Error("engine.worker must run in a worker thread");
const echo = startEcho();
port.once("message", () => {
  echo.stop();
  port.close();
});
port.postMessage(echo.port);
