/**
 * Cases about clients that read slowly, or send too much: what is unsent is reported, and nothing else suffers.
 *
 * Runs on: the thread of a test.
 */

import { CLOSE, NO_CLOSE_FRAME } from "../../protocol/reserved.ts";
import type { Plan } from "./plan.ts";
import type { Talker } from "./talker.ts";

/** More than what the buffers of the system hold for a connection on one machine (at most 10 MB). */
const FLOOD = { count: 384, bytes: 65_536 };
/** Bytes unsent that no case reaches. */
const PLENTY = 1_073_741_824;
/** A limit that a flood exceeds many times over. */
const LITTLE = 65_536;
/** Half of the limit at which a client is slow at once. */
const GULP = { count: 4, bytes: 65_536 };
const GULPS = 64;
const LATEST = "latest:1";

/** More than a server keeps of a client's messages that wait (256 KiB), and more than a turn's budget (10 ms). */
const WORK = { count: 250, bytes: 8_192, ms: 1 };

/** The cases, in the order in which they run. */
export const SLOW_CASES: readonly Plan[] = [
  {
    name: "sends everything to a client that pauses",
    needs: ["pause"],
    options: { maxBackpressureBytes: PLENTY },
    async run(world) {
      const ann = await world.joined("ann");
      await ann.pause();
      const ref = await ann.push("flood", FLOOD);
      await world.note("flooded", "ann");
      await ann.resume();
      await takesPieces(ann, FLOOD.count);
      await ann.reply(ref);
    },
  },
  {
    name: "reports unsent bytes: a client that reads nothing is cut, and others are served",
    needs: ["pause"],
    options: { maxBackpressureBytes: LITTLE },
    async run(world) {
      const [ann, bob] = [await world.joined("ann"), await world.joined("bob")];
      await ann.pause();
      await ann.push("flood", FLOOD);
      await world.note("gone", "ann");
      bob.equal(await bob.request("echo", { a: 1 }), { a: 1 }, "the reply to another client");
      await ann.resume();
      ann.equal(await ann.ended(), NO_CLOSE_FRAME, "the code of a client that is cut");
      if (ann.unread < FLOOD.count) return;
      ann.fail("a client that is cut must not be sent what waited for it, got all of it");
    },
  },
  {
    name: "reports only unsent bytes: a client that reads is not cut, whatever it is sent",
    options: { maxBackpressureBytes: LITTLE, slowClientMs: 2_000 },
    async run(world) {
      const ann = await world.joined("ann");
      for (let gulp = 0; gulp < GULPS; gulp += 1) {
        const ref = await ann.push("flood", GULP);
        await takesPieces(ann, GULP.count);
        await ann.reply(ref);
      }
    },
  },
  {
    name: "says that a client has room again",
    needs: ["pause"],
    options: { maxBackpressureBytes: PLENTY },
    async run(world) {
      const ann = await world.joined("ann");
      await ann.join(LATEST);
      await ann.pause();
      const ref = await ann.push("flood", FLOOD);
      await world.note("flooded", "ann");
      // Only the last one is kept while the client has no room.
      for (let n = 1; n <= 3; n += 1) world.server.broadcast(LATEST, "state", { n });
      await ann.resume();
      await takesPieces(ann, FLOOD.count);
      await ann.reply(ref);
      const what = "the broadcast that waited for room";
      ann.equal(await ann.expect("state", what), { n: 3 }, what);
    },
  },
  {
    name: "sends everything to a client that pauses while the server closes, and ends it then",
    needs: ["pause"],
    // Otherwise what the transport does not tell would be found out at the end of `drainMs`.
    options: {
      maxBackpressureBytes: PLENTY,
      shards: 1,
      drainMs: 3_600_000,
      drainJitterPercent: 0,
    },
    async run(world) {
      const [ann, bob] = [await world.joined("ann"), await world.joined("bob")];
      await ann.pause();
      const ref = await ann.push("flood", FLOOD);
      await world.note("flooded", "ann");
      const closing = world.server.close();
      // Ended in the same turn as the one that does not read, if that were possible.
      await bob.ended();
      await ann.resume();
      await takesPieces(ann, FLOOD.count);
      await ann.reply(ref);
      const code = await ann.ended();
      if (world.hasCodes)
        ann.equal(code, CLOSE.restart, "the code of a client that has read everything");
      await closing;
    },
  },
  {
    name: "reads no more from a client than is handled, and then reads on",
    needs: ["stopReading"],
    async run(world) {
      const [ann, bob] = [await world.joined("ann"), await world.joined("bob")];
      const fill = "x".repeat(WORK.bytes);
      const refs: string[] = [];
      for (let n = 0; n < WORK.count; n += 1) {
        refs.push(await ann.push("work", { n, ms: WORK.ms, fill }));
      }
      bob.equal(await bob.request("echo", { a: 1 }), { a: 1 }, "the reply to another client");
      for (const [n, ref] of refs.entries()) {
        ann.equal(await ann.reply(ref), { n }, `the reply to message ${n}`);
      }
    },
  },
];

async function takesPieces(talker: Talker, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const piece = (await talker.expect("piece", `piece ${n}`)) as { readonly n: number };
    talker.equal(piece.n, n, "the number of the piece");
  }
}
