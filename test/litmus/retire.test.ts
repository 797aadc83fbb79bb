/**
 * A member is replaced repeatedly, as when a shard is restarted, while it and the others constantly
 * write to each other through the smallest rings, including large records.
 *
 *   a record of this round                                              allowed
 *   one of an earlier round; half of one; a member that nobody reaches  forbidden
 *
 * Seen to fail with: the rings to the number not emptied; its queues not dropped; records sent to it
 * between its end and the next generation; what it wrote not drained; the generation not raised.
 *
 * Slow: a race needs many rounds.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { readCounters } from "../../src/memory/counters.ts";
import { makeExchange, makeExchangeShared } from "../support/exchange.ts";
import { litmusRounds, startWorker } from "../support/litmus.ts";
import { RetireTalk } from "../support/retire.ts";

const ROUNDS = litmusRounds(2_000);
const ROOMY = { overflowBytes: 2 ** 26, overflowTotalBytes: 2 ** 26 };

it("delivers nothing old to the next member with a number, nor from the last one", async (test) => {
  const shared = makeExchangeShared({ members: 3, startPosition: -24, ...ROOMY });
  const { exchange } = makeExchange(shared, 0);
  const talk = new RetireTalk(exchange, 0);
  const peer = startWorker(test, new URL("./retire.peer.js", import.meta.url), shared);
  const member = startWorker(test, new URL("./retire.member.js", import.meta.url), shared);
  const ends = [peer.exited("the end of the peer"), member.exited("the end of the member")];
  let isOver = false;
  exchange.start(talk);
  const talking = (async () => {
    while (!isOver) {
      talk.say(2);
      await setImmediate();
    }
  })();

  for (let round = 0; round < ROUNDS; round += 1) {
    await member.message(`the records of both at the member in round ${round}`);
    const ended = member.message("the end of the old member");
    member.worker.postMessage("stop");
    await ended;
    const forgotten = peer.message("the peer to forget the member");
    talk.retire();
    peer.worker.postMessage("retire");
    await forgotten;
    exchange.resetMember(2);
    member.worker.postMessage(round + 1 < ROUNDS ? "begin" : "end");
  }
  assert.equal(await member.message("the count of stale records"), 0);
  isOver = true;
  await talking;
  exchange.stop();
  peer.worker.postMessage("end");
  await Promise.all(ends);
  for (const each of [0, 1]) assert.equal(readCounters(shared.counters, each).droppedStale, 0);
});
