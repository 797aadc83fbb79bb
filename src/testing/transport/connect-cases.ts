/**
 * Cases about connects: what the server is told, and what the client is told.
 *
 * Runs on: the thread of a test.
 */

import { MOST_CONNECTS, RELEASES } from "./app.ts";
import type { Plan } from "./plan.ts";
import type { Talker } from "./talker.ts";
import { pause, type World } from "./world.ts";

/** Parameters with everything that may have to be escaped. */
const PARAMS = { "a b": "&=?#%+/\\'\"", é: "ü €\n\t👋", empty: "", long: "x".repeat(1_000) };

/** The cases, in the order in which they run. */
export const CONNECT_CASES: readonly Plan[] = [
  {
    name: "passes all parameters to connect, and names itself",
    async run(world) {
      const { talker, params, transport } = await world.arrived("ann", { params: PARAMS });
      talker.equal(params, { vsn: "2.0.0", user: "ann", ...PARAMS }, "the parameters of connect");
      const [listed] = await world.server.sockets();
      talker.equal(listed?.transport, transport, "the transport in the list of sockets");
    },
  },
  {
    name: "keeps clients apart",
    async run(world) {
      const talkers: Talker[] = [];
      for (const user of ["ann", "bob", "eve"]) talkers.push(await world.joined(user));
      for (const talker of talkers.toReversed()) await talker.push("echo", { for: talker.user });
      for (const talker of talkers) {
        const { payload } = await talker.next("the reply to its message");
        const reply = { status: "ok", response: { for: talker.user } };
        talker.equal(payload, reply, `the reply to ${talker.user}`);
      }
      await world.connections(talkers.length);
      for (const talker of talkers) talker.equal(talker.unread, 0, "the number of other frames");
    },
  },
  {
    name: "tells a client that it is refused, and lets it try again",
    run: async (world) => refuses(world, { refuse: "no" }, "refused"),
  },
  {
    name: "tells a client that connect failed, and lets it try again",
    run: async (world) => refuses(world, { fail: "1" }, "failed"),
  },
  {
    name: "tells a client that it connects too often",
    options: { shards: 1 },
    async run(world) {
      for (let n = 0; n < MOST_CONNECTS; n += 1) await world.joined("ann");
      const one = await world.begin("ann");
      one.equal(await one.refusal(), "limited", "what the client is told");
      await world.joined("bob");
    },
  },
  {
    name: "tells a client that the server has no time for it",
    options: { shards: 1, maxPendingConnects: 1 },
    async run(world) {
      const first = await world.begin("ann", { params: { wait: "1" } });
      await world.note("connecting", "ann");
      const second = await world.begin("bob");
      second.equal(await second.refusal(), "unavailable", "what the client is told");
      world.server.broadcast(RELEASES, "release");
      await first.join();
    },
  },
  {
    name: "forgets a client that leaves while the server decides",
    needs: ["cut"],
    options: { shards: 1 },
    async run(world) {
      const ann = await world.begin("ann", { params: { wait: "1" } });
      await world.note("connecting", "ann");
      await ann.cut();
      // Until the server has noticed. Nothing says that it has, so it gets some time for it.
      for (let n = 0; n < 10; n += 1) await pause();
      world.server.broadcast(RELEASES, "release");
      await world.joined("bob");
      await world.connections(1);
    },
  },
];

async function refuses(
  world: World,
  params: Readonly<Record<string, string>>,
  expected: string,
): Promise<void> {
  const ann = await world.begin("ann", { params });
  ann.equal(await ann.refusal(), expected, "what the client is told");
  await world.joined("ann");
  await world.connections(1);
}
