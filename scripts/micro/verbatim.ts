/**
 * Compares an ordinary handler with a verbatim one: the cost of a message, from the bytes of its
 * frame to the bytes of the reply or the broadcast.
 *
 * Runs on: the main thread, with both taking turns in one run. No engine, no network.
 * Usage:   npm run build && node dist/scripts/micro/verbatim.js
 *
 * As with the real engine, the text of the frame is created for each message, and everything that
 * is sent is encoded as bytes. Look at the ratio rather than the absolute numbers.
 */

import { defineChannel, defineEndpoint, defineSocket, ok, verbatim } from "../../src/index.ts";
import { silentShard } from "./silent-shard.ts";

const ROUNDS = 9;
const ROUND_MS = 120;
const MESSAGES = 50;
const SIZES = [100, 1_000, 10_000];

const socket = defineSocket({ connect: () => ok({}) });
const room = defineChannel(socket, {
  join: () => ok(),
  handleIn: {
    echo: (_, payload) => ok(payload),
    echo_verbatim: verbatim((_, payload) => ok(payload)),
    shout: (each, payload) => each.broadcast("shout", payload),
    shout_verbatim: verbatim((each, payload) => each.broadcast("shout", payload)),
  },
});

/** Creates the payload of a chat message, or a list of them for larger sizes. */
function payloadOf(size: number): string {
  const one = { body: "Hello there, how is everybody today? All is well here.", from: "ann" };
  if (size === SIZES[0]) return JSON.stringify({ ...one, at: 1_700_000_000_000 });
  const items: unknown[] = [];
  const text = (): string => JSON.stringify({ room: "lobby", items });
  while (text().length < size) {
    items.push({ ...one, id: items.length, at: 1_700_000_000_000, seen: [true, null, 0.5] });
  }
  return text();
}

const written = Buffer.alloc(65_536);
const shard = silentShard(
  defineEndpoint({ sockets: { "/socket": { socket, channels: { "room:*": room } } } }),
);
let frames = 0;
const decision = await shard.connect(
  { path: undefined, params: {}, connectInfo: {}, identity: undefined },
  {
    onFrame(frame) {
      frames += 1;
      if (typeof frame === "string") written.write(frame);
      else written.set(frame);
    },
    onClose: (code) => {
      throw new Error(`closed with ${code}`);
    },
  },
);
if (decision.result !== "ok") throw new Error("refused");
const { connection } = decision;
connection.receive('["1","1","room:lobby","phx_join",{}]');

/** Sends messages for some time. @returns microseconds per message */
function measure(event: string, payload: string): number {
  const frame = Buffer.from(`["1","12345","room:lobby","${event}",${payload}]`);
  const before = frames;
  const started = performance.now();
  let passed = 0;
  while (passed < ROUND_MS) {
    for (let at = 0; at < MESSAGES; at += 1) connection.receive(frame.toString());
    passed = performance.now() - started;
  }
  return (passed * 1_000) / (frames - before);
}

console.log("work        payload   ordinary   verbatim   ratio");
for (const event of ["echo", "shout"]) {
  for (const size of SIZES) {
    const payload = payloadOf(size);
    const best = { ordinary: Infinity, verbatim: Infinity };
    for (let round = 0; round < ROUNDS; round += 1) {
      best.ordinary = Math.min(best.ordinary, measure(event, payload));
      best.verbatim = Math.min(best.verbatim, measure(`${event}_verbatim`, payload));
    }
    const times = [best.ordinary, best.verbatim].map((us) => `${us.toFixed(2)} µs`.padStart(11));
    const ratio = (best.verbatim / best.ordinary).toFixed(2).padStart(8);
    console.log(`${event.padEnd(8)}${`${payload.length} B`.padStart(11)}${times.join("")}${ratio}`);
  }
}
await shard.stop(0);
