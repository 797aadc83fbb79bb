/**
 * What keepers are told before they save and end: whether broadcasts on their way to them may be lost.
 *
 * Runs on: the test's thread, with the rings of a node, and threads that only note what they are told.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Logger } from "../../src/log/logger.ts";
import { Keepers } from "../../src/server/keepers.ts";
import type { MemberThread } from "../../src/server/member-thread.ts";
import { RestartBound } from "../../src/server/restart-bound.ts";
import type { MainMessage } from "../../src/shard/control.ts";
import { smallOptions } from "../support/options.ts";
import { TestNode, type TestMember } from "../support/members.ts";

const [MAIN, SHARD, KEEPER] = [0, 2, 4] as const;

/** The keeper of a node that stops, and what it is told. */
function makeStop(): {
  host: TestMember;
  keeper: TestMember;
  told: (MainMessage | "end")[];
  stop: (others?: readonly MemberThread["role"][]) => Promise<void>;
} {
  const node = new TestNode({ members: 5, keepers: [KEEPER], ringBytes: 2_048 });
  const [host, keeper] = [node.member(MAIN), node.member(KEEPER)];
  const told: (MainMessage | "end")[] = [];
  const thread = (role: MemberThread["role"], member: number): MemberThread =>
    ({
      role,
      member,
      send: (message: MainMessage) => told.push(message),
    }) as unknown as MemberThread;
  const stop = async (others: readonly MemberThread["role"][] = []): Promise<void> => {
    const threads = new Set([
      thread("keeper", KEEPER),
      ...others.map((role, at) => thread(role, SHARD + at)),
    ]);
    const keepers = new Keepers({
      members: [KEEPER],
      options: smallOptions(),
      logger: new Logger("silent"),
      bound: new RestartBound(),
      threads,
      launch: async () => assert.fail("nothing is started by a stop"),
      end: async ({ role }) => {
        assert.equal(role, "keeper");
        told.push("end");
        return true;
      },
      onGivenUp: assert.fail,
    });
    await keepers.stop(host.exchange);
  };
  return { host, keeper, told, stop };
}

const lost = (member: number): MainMessage => ({ kind: "retire", member, hasLost: true });

describe("The keepers of a node that stops", () => {
  it("just end if all broadcasts have reached them", async () => {
    const { host, keeper, told, stop } = makeStop();
    host.exchange.send(KEEPER, 0, 0, new Uint8Array(100), 100);
    keeper.drain();
    await stop();
    assert.deepEqual(told, ["end"]);
  });

  it("are told first if broadcasts of main are unsent", async () => {
    const { host, told, stop } = makeStop();
    const record = new Uint8Array(500);
    while (host.exchange.queuedBytesTo(KEEPER) === 0) {
      host.exchange.send(KEEPER, 0, 0, record, record.length);
    }
    await stop();
    assert.deepEqual(told, [lost(MAIN), "end"]);
  });

  it("are told first of threads that could not be ended", async () => {
    const { told, stop } = makeStop();
    await stop(["shard", "link"]);
    assert.deepEqual(told, [lost(SHARD), lost(SHARD + 1), "end"]);
  });
});
