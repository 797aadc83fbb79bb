import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Life } from "../../src/memory/life.ts";
import type { Member } from "../../src/pubsub/member.ts";
import type { MemberThread } from "../../src/server/member-thread.ts";
import { makeNodeMemory } from "../../src/server/memory-plan.ts";
import { Retirement } from "../../src/server/retirement.ts";
import { smallOptions } from "../support/options.ts";

/** A retirement whose calls are recorded in order. */
function makeRetirement(): {
  retirement: Retirement;
  life: Life;
  calls: string[];
  thread: (name: string) => MemberThread;
} {
  const calls: string[] = [];
  const note =
    (name: string) =>
    (member: number, hasLost = false): void =>
      void calls.push(`${name} ${member}${hasLost ? " lost" : ""}`);
  const main = {
    index: { clearMember: note("clear") },
    retire: note("retire"),
    exchange: { resetMember: note("reset") },
  } as unknown as Member;
  const life = new Life(makeNodeMemory(smallOptions({ shards: 4 }), undefined).life);
  const retirement = new Retirement(main, life, note("free"));
  const thread = (name: string): MemberThread =>
    ({
      send: (message: { kind: string; member: number; hasLost: boolean }) =>
        void calls.push(
          `${name} ${message.kind} ${message.member}${message.hasLost ? " lost" : ""}`,
        ),
    }) as unknown as MemberThread;
  return { retirement, life, calls, thread };
}

describe("the retirement of a member", () => {
  it("frees its number when every other thread has forgotten it", () => {
    const { retirement, life, calls, thread } = makeRetirement();
    const [a, b] = [thread("a"), thread("b")];
    life.close(3);
    life.release(3);
    retirement.begin(3, [a, b], false);
    assert.deepEqual(calls.splice(0), ["clear 3", "retire 3", "a retire 3", "b retire 3"]);
    retirement.forgotten(a, 3);
    assert.deepEqual(calls, []);
    assert.ok(life.isClosed(3));
    retirement.forgotten(b, 3);
    assert.deepEqual(calls, ["reset 3", "free 3"]);
    // The next thread with this number is neither closed nor released.
    assert.equal(life.isClosed(3), false);
    assert.equal(life.waitReleased(3, 0), false);
  });

  it("tells every thread that the member had unsent records", () => {
    const { retirement, calls, thread } = makeRetirement();
    retirement.begin(3, [thread("a")], true);
    assert.deepEqual(calls, ["clear 3", "retire 3 lost", "a retire 3 lost"]);
  });

  it("frees the number at once if there is no other thread", () => {
    const { retirement, calls } = makeRetirement();
    retirement.begin(3, [], false);
    assert.deepEqual(calls, ["clear 3", "retire 3", "reset 3", "free 3"]);
  });

  it("does not wait for a thread that has ended meanwhile", () => {
    const { retirement, calls, thread } = makeRetirement();
    const [a, b] = [thread("a"), thread("b")];
    retirement.begin(3, [a, b], false);
    retirement.forgotten(a, 3);
    calls.splice(0);
    retirement.ended(b);
    assert.deepEqual(calls, ["reset 3", "free 3"]);
  });

  it("frees each of two members at once when its own answers are complete", () => {
    const { retirement, calls, thread } = makeRetirement();
    const a = thread("a");
    retirement.begin(3, [a], false);
    retirement.begin(4, [a], false);
    calls.splice(0);
    retirement.forgotten(a, 4);
    assert.deepEqual(calls.splice(0), ["reset 4", "free 4"]);
    retirement.ended(a);
    assert.deepEqual(calls, ["reset 3", "free 3"]);
  });

  it("frees a number once, whatever answers come later", () => {
    const { retirement, calls, thread } = makeRetirement();
    const a = thread("a");
    retirement.begin(3, [a], false);
    retirement.forgotten(a, 3);
    calls.splice(0);
    retirement.forgotten(a, 3);
    retirement.forgotten(a, 5);
    retirement.ended(a);
    assert.deepEqual(calls, []);
  });
});
