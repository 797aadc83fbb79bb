/** Clients that subscribe to the topics of the ticker, started by `main`. */
import { once } from "node:events";
import { WebSocket } from "ws";
import { nameOf, type Heard } from "./names.ts";

const [port = "", topics = "0"] = process.argv.slice(2);
const TOPICS = Number(topics);
const CLIENTS = 200;

// Ignores SIGTERM and ends when main disconnects, because main still waits for the current round.
process.on("SIGTERM", () => {});
process.once("disconnect", () => process.exit());
process.on("message", report);

let [asked, prices] = [0, 0];

const clients = await Promise.all(Array.from({ length: CLIENTS }, connected));
for (let n = 0; n < TOPICS; n += 1) clients[n % CLIENTS]?.send(`+${nameOf(n)}`);

async function connected(_: unknown, n: number): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${port}/ticker/websocket?user=${n}`);
  client.on("close", (code) => console.error(`client ${n} was closed with ${code}`));
  client.on("message", (data: Buffer) => count(data.toString()));
  await once(client, "open");
  return client;
}

/** Reports when all subscriptions are confirmed, then each time that all topics had another price, or if main asks. */
function count(text: string): void {
  if (text.endsWith(" ok")) asked += 1;
  else prices += 1;
  if (asked === TOPICS && prices % TOPICS === 0) report();
}

function report(): void {
  process.send?.({ clients: CLIENTS, prices } satisfies Heard);
  prices = 0;
}
