/**
 * Cases about shards: many clients, a restart, and the end of a server.
 *
 * Runs on: the thread of a test.
 */

import { CLOSE } from "../../protocol/reserved.ts";
import type { Plan } from "./plan.ts";
import type { Talker } from "./talker.ts";
import { World } from "./world.ts";

const CROWD = 50;
const ROUNDS = 5;
/** Messages of a client, enough for each shard to get some. */
const MESSAGES = 10;

/** The cases, in the order in which they run. */
export const SHARD_CASES: readonly Plan[] = [
  {
    name: "serves many clients at once",
    async run(world) {
      const crowd = await Promise.all(
        Array.from({ length: CROWD }, async (_, n) => world.joined(`user ${n}`, { shard: n % 2 })),
      );
      await Promise.all(
        crowd.map(async (talker) => {
          for (let n = 0; n < ROUNDS; n += 1) {
            const payload = { n, from: talker.user };
            talker.equal(await talker.request("echo", payload), payload, `reply ${n}`);
          }
        }),
      );
      await world.connections(CROWD);
    },
  },
  {
    name: "takes messages to the shard of their client, in order, whichever shard they reach first",
    async run(world) {
      for (let client = 0; client < 4; client += 1) {
        const { talker, shard } = await world.arrived(`user ${client}`, { shard: client % 2 });
        const refs: string[] = [];
        for (let n = 0; n < MESSAGES; n += 1) refs.push(await talker.push("where", { n }));
        for (const [n, ref] of refs.entries()) {
          talker.equal(await talker.reply(ref), { n, shard }, `reply ${n}`);
        }
      }
    },
  },
  {
    name: "tells clients to reconnect when their shard is restarted, and then serves them again",
    async run(world) {
      const arrivals = [];
      for (let n = 0; n < 4; n += 1) {
        arrivals.push(await world.arrived(`user ${n}`, { shard: n % 2 }));
      }
      const shard = arrivals[0]?.shard ?? 0;
      await world.server.restartShard(shard);
      for (const arrival of arrivals) {
        const { talker } = arrival;
        if (arrival.shard === shard) {
          await isToldToReconnect(world, talker);
          await talker.pushLate(1);
        } else
          talker.equal(
            await talker.request("echo", { a: 1 }),
            { a: 1 },
            "a reply of the other shard",
          );
      }
      for (let n = 0; n < 4; n += 1) {
        const talker = await world.joined(`new ${n}`, { shard: n % 2 });
        talker.equal(await talker.request("echo", { n }), { n }, "the reply to a new client");
      }
    },
  },
  {
    name: "ends all clients when the server closes, stops, and leaves room for the next server",
    async run(world) {
      const talkers: Talker[] = [];
      for (let n = 0; n < 4; n += 1)
        talkers.push(await world.joined(`user ${n}`, { shard: n % 2 }));
      await world.server.close();
      for (const talker of talkers) await isToldToReconnect(world, talker);
      await refusesAll(world);
      await World.run(world.tests, {}, async (next) => {
        const talker = await next.joined("ann");
        talker.equal(
          await talker.request("echo", { a: 1 }),
          { a: 1 },
          "a reply of the next server",
        );
      });
    },
  },
];

async function isToldToReconnect(world: World, talker: Talker): Promise<void> {
  const code = await talker.ended();
  if (world.hasCodes) talker.equal(code, CLOSE.restart, `the code of ${talker.user}`);
}

/** Asserts that a client of a closed server learns that there is none. */
async function refusesAll(world: World): Promise<void> {
  let late: Talker;
  try {
    late = await world.begin("late");
    await late.join();
  } catch {
    return;
  }
  late.fail("a client of a closed server must not be served, got the reply to its join");
}
