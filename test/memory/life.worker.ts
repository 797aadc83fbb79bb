/**
 * One member's thread in the test of life words: does what it is told, and reports what it sees.
 *
 * Runs on: a worker thread of the test.
 */

import { parentPort, workerData } from "node:worker_threads";

import { Life } from "../../src/memory/life.ts";

const { shared, member, work } = workerData as {
  shared: SharedArrayBuffer;
  member: number;
  work: "waitReleased" | "close" | "stopped" | "readiness";
};
const life = new Life(shared);
parentPort?.postMessage("begun");
if (work === "waitReleased") parentPort?.postMessage(life.waitReleased(member, 10_000));
if (work === "close") life.close(member);
if (work === "readiness") {
  // Reports what it sees each time it is woken.
  for (let looks = 0; looks < 3; looks += 1) {
    life.waitReleased(member, 10_000);
    life.reset(member);
    const { isReady, isDraining } = life;
    parentPort?.postMessage({ isReady, isDraining });
  }
}
if (work === "stopped") {
  // Keeps the thread alive, like a shard's sockets.
  const alive = setInterval(() => {}, 1_000);
  await life.stopped();
  clearInterval(alive);
  life.close(member);
}
