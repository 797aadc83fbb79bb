/**
 * A ticker with 100 000 topics, each with a subscriber, whose prices all change once a second. Prints what
 * that costs. `node dist/test/examples/ticker/main.js [topics]`
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { setImmediate, setTimeout } from "node:timers/promises";
import { serve, type Server } from "simurgh";
import { nameOf, type Heard } from "./names.ts";

const TOPICS = Number(process.argv[2] ?? 100_000);
/** Prices per turn of the loop, limited so that the rings to the shards are not flooded. */
const BATCH = 1_000;
const ROUND_MS = 1_000;
/** A client without room skips prices. So after this time, a round ends with those that were heard. */
const PATIENCE_MS = 20_000;

const server = await serve({ app: new URL("./app.js", import.meta.url), logLevel: "error" });
const bytesBefore = process.memoryUsage().rss;

// The clients have a process of their own, because this one measures the server.
const crowd = fork(new URL("./crowd.js", import.meta.url), [String(server.port), String(TOPICS)]);
const heardNext = async (): Promise<Heard> => ((await once(crowd, "message")) as [Heard])[0];

const { clients } = await heardNext();
const bytesEach = Math.round((process.memoryUsage().rss - bytesBefore) / TOPICS);
console.log(
  `${await countTopics(server)} topics for ${clients} clients, ${bytesEach} bytes of memory each`,
);

const endRound = (): boolean => crowd.send("count");
let isOver = false;
process.once("SIGTERM", () => {
  isOver = true;
  endRound();
});
for (let round = 1; !isOver; round += 1) {
  const startedMs = performance.now();
  const heard = heardNext();
  for (let n = 0; n < TOPICS; n += 1) {
    server.broadcast(`ticker:${nameOf(n)}`, "price", { eur: round });
    if (n % BATCH === BATCH - 1) await setImmediate();
  }
  const patience = globalThis.setTimeout(endRound, PATIENCE_MS);
  const { prices } = await heard;
  clearTimeout(patience);
  const tookMs = performance.now() - startedMs;
  console.log(`round ${round}: ${TOPICS} prices, ${prices} heard in ${Math.round(tookMs)} ms`);
  await setTimeout(ROUND_MS - tookMs);
}
crowd.disconnect();
await server.close();

/** Counts the topics that have subscribers, with one query for each first digit of their names. */
async function countTopics(of: Server): Promise<number> {
  const counts = Array.from({ length: 10 }, async (_, digit) =>
    of.topics({ prefix: `ticker:${digit}`, limit: 10_000 }),
  );
  return (await Promise.all(counts)).reduce((sum, { length }) => sum + length, 0);
}
