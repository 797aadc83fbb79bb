/**
 * Cases about frames: all arrive, unchanged and in order, in both directions.
 *
 * Runs on: the thread of a test.
 */

import { ANY_VSN, BROKEN_JSON, JOIN, JOINED } from "./app.ts";
import type { Plan } from "./plan.ts";
import { ROOM } from "./talker.ts";

/** Lengths around those at which transports buffer, split and mask. */
const LENGTHS = [0, 1, 125, 126, 1_000, 16_384, 65_535, 65_536, 100_000];
/** Messages that are sent without waiting for their answers. Few enough for the server's budget of a turn. */
const BATCH = 5;
const BATCHES = 12;

/** Texts with everything that formats of lines, events and requests may stumble over. */
const TEXTS = [
  "=",
  "=AAAA",
  "! 1000",
  "data: x",
  ":",
  "\n",
  "\n\n",
  "a\r\nb\rc\n",
  "\0",
  "\t ",
  " ",
  "\\n",
  '"',
  "%41+&=?#",
  "ü €",
  "👋🏽",
  "\u2028\u2029",
  "\uFEFFbom",
  "null",
  "{}",
  "[1,2]",
  "x".repeat(70_000),
  "",
];

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const BYTES = [
  EVERY_BYTE,
  new Uint8Array(0),
  Uint8Array.of(0),
  Uint8Array.of(10, 13, 10, 10),
  new Uint8Array(100_000).fill(7),
];

/** The cases, in the order in which they run. */
export const FRAME_CASES: readonly Plan[] = [
  {
    name: "carries messages both ways, in order, whatever their length",
    async run(world) {
      const ann = await world.joined("ann");
      let count = 0;
      for (let batch = 0; batch < BATCHES; batch += 1) {
        const sent: [ref: string, payload: unknown][] = [];
        for (let n = 0; n < BATCH; n += 1) {
          const payload = { n: count, fill: "x".repeat(LENGTHS[count % LENGTHS.length] ?? 0) };
          sent.push([await ann.push("echo", payload), payload]);
          count += 1;
        }
        for (const [ref, payload] of sent) {
          const what = `the payload of message ${ref}`;
          ann.equal(await ann.reply(ref), payload, what);
        }
      }
    },
  },
  {
    name: "delivers broadcasts of clients and of the host, in order",
    async run(world) {
      const [ann, bob] = [await world.joined("ann"), await world.joined("bob", { shard: 1 })];
      for (let n = 0; n < BATCH; n += 1) await ann.push("say", { n });
      for (const talker of [ann, bob]) {
        for (let n = 0; n < BATCH; n += 1) {
          talker.equal(await talker.expect("said"), { n }, `broadcast ${n}`);
        }
      }
      for (let n = 0; n < BATCH; n += 1) world.server.broadcast(ROOM, "said", { n, by: "host" });
      for (const talker of [ann, bob]) {
        for (let n = 0; n < BATCH; n += 1) {
          talker.equal(
            await talker.expect("said"),
            { n, by: "host" },
            `broadcast ${n} of the host`,
          );
        }
      }
    },
  },
  {
    name: "carries messages with line breaks between the parts of their JSON",
    async run(world) {
      const ann = await world.joined("ann");
      const ref = await ann.push("break_lines");
      ann.equal(await ann.expect("broken"), JSON.parse(BROKEN_JSON), "the payload");
      const last = await ann.push("echo", { text: "a\nb\r\n\n" });
      ann.equal(await ann.reply(last), { text: "a\nb\r\n\n" }, `the payload after message ${ref}`);
    },
  },
  {
    name: "carries bytes between texts, in order",
    needs: ["bytes"],
    async run(world) {
      const ann = await world.joined("ann");
      for (const bytes of BYTES) {
        const [first, second] = [await ann.push("echo", bytes), await ann.push("echo", { a: 1 })];
        ann.equal(await ann.reply(first), bytes, `the ${bytes.length} bytes`);
        ann.equal(await ann.reply(second), { a: 1 }, "the text after the bytes");
      }
    },
  },
  {
    name: "carries any text and any bytes, empty ones included",
    needs: ["anyFrame", "bytes"],
    async run(world) {
      const ann = await world.begin("ann", { params: { vsn: ANY_VSN } });
      await ann.send(JOIN);
      ann.equal(await ann.nextFrame("the reply to the join"), JOINED, "the reply to the join");
      for (const frame of [...TEXTS, ...BYTES]) {
        await ann.send(frame);
        const back = await ann.nextFrame("the frame that it sent");
        // A view of any kind, without what else its buffer holds.
        ann.equal(typeof back === "string" ? back : new Uint8Array(back), frame, "the frame");
      }
    },
  },
];
