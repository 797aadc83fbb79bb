/**
 * Cases about ends: by the server, by the client, and of clients that are gone.
 *
 * Runs on: the thread of a test.
 */

import { CLOSE } from "../../protocol/reserved.ts";
import type { Plan } from "./plan.ts";
import { pause, type World } from "./world.ts";

/** Clients that come and go in the case about leaks. */
const VISITS = 20;
/** How many of them the garbage collector may not find yet: those that came last. */
const MOST_SURVIVORS = 4;
/** What is sent before an end: more than a turn's worth of small messages. */
const LAST_WORDS = { count: 50, bytes: 2_000 };
const NONSENSE = "nonsense";

/** The cases, in the order in which they run. */
export const END_CASES: readonly Plan[] = [
  {
    name: "ends a client as the server says, and no other",
    async run(world) {
      const [ann, bob, eve] = [
        await world.joined("ann"),
        await world.joined("bob"),
        await world.joined("eve"),
      ];
      world.server.disconnect("ann");
      await ann.ended();
      await bob.send(NONSENSE);
      await bob.ended();
      await world.connections(1);
      eve.equal(await eve.request("echo", { a: 1 }), { a: 1 }, "the reply to another client");
    },
  },
  {
    name: "tells its clients the code with which the server ends them",
    needs: ["closeCodes"],
    async run(world) {
      const ann = await world.joined("ann");
      world.server.disconnect("ann");
      ann.equal(await ann.ended(), CLOSE.goingAway, "the code of a client that is disconnected");
      const bob = await world.joined("bob");
      await bob.send(NONSENSE);
      bob.equal(await bob.ended(), CLOSE.internalError, "the code for a malformed frame");
    },
  },
  {
    name: "sends everything that comes before an end",
    async run(world) {
      const ann = await world.joined("ann");
      await ann.push("push_and_end", LAST_WORDS);
      for (let n = 0; n < LAST_WORDS.count; n += 1) {
        const { n: got } = (await ann.expect("piece")) as { readonly n: number };
        ann.equal(got, n, "the number of the message");
      }
      await ann.ended();
      ann.equal(ann.unread, 0, "the number of other frames");
    },
  },
  {
    name: "notices that a client closes its connection",
    run: async (world) => notices(world, "close"),
  },
  {
    name: "notices that a client is cut off",
    needs: ["cut"],
    run: async (world) => notices(world, "cut"),
  },
  {
    name: "takes frames of a client that has been ended, without effect",
    async run(world) {
      const [ann, bob] = [await world.joined("ann"), await world.joined("bob")];
      world.server.disconnect("ann");
      await world.note("gone", "ann");
      // It has not noticed yet, or does not care.
      await ann.pushLate(3);
      await ann.ended();
      bob.equal(
        await bob.request("echo", { a: 1 }),
        { a: 1 },
        "the next message of another client",
      );
      await world.connections(1);
    },
  },
  {
    name: "forgets clients that are gone",
    options: { shards: 1 },
    async run(world) {
      const ann = await world.joined("ann");
      const before = await survivors();
      for (let n = 0; n < VISITS; n += 1) {
        const refused = await world.begin(`refused ${n}`, { params: { refuse: "no" } });
        await refused.refusal();
        const one = await world.joined(`visitor ${n}`);
        if (n % 2 === 0) world.server.disconnect(one.user);
        else await one.close();
        await world.note("gone", one.user);
        await one.ended();
      }
      await world.connections(1);
      let left = await survivors();
      for (let n = 0; n < 10 && left > before + MOST_SURVIVORS; n += 1) {
        await pause();
        left = await survivors();
      }
      if (left <= before + MOST_SURVIVORS) return;
      world.fail(
        `the transport must keep nothing of clients that are gone, got ${left - before} of ${VISITS * 2} that cannot be garbage`,
      );

      async function survivors(): Promise<number> {
        return ((await ann.request("survivors")) as { readonly count: number }).count;
      }
    },
  },
];

async function notices(world: World, how: "close" | "cut"): Promise<void> {
  const [ann, bob] = [await world.joined("ann"), await world.joined("bob")];
  await ann[how]();
  await world.note("gone", "ann");
  await world.connections(1);
  bob.equal(await bob.request("echo", { a: 1 }), { a: 1 }, "the reply to another client");
}
