/**
 * Two threads give work to a third and sleep until it has answered; the third sleeps whenever it has
 * no work. So every round has a press in each direction, often while the other thread is falling
 * asleep, and often two presses for one sleep.
 *
 *   the answer arrives                                 allowed
 *   a thread keeps sleeping while there is work for it forbidden
 *
 * Seen to fail with: the sequence loaded after the check for work; the sleeping word stored after the
 * check; the work stored after the press; no second press of a sequence that was pressed once before.
 */
import { it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Doorbell } from "../../src/memory/doorbell.ts";
import { doorbellBytes } from "../../src/memory/doorbell-layout.ts";
import { within } from "../support/deadline.ts";
import { LOST_AFTER_MS, litmusRounds, startWorker } from "../support/litmus.ts";

const PRESSERS = [1, 2];
const ROUNDS = litmusRounds(5);

it("loses no wake-up, whether waiting asynchronously or blocking", async (test) => {
  const doorbells = new SharedArrayBuffer(doorbellBytes(3));
  const work = new Int32Array(new SharedArrayBuffer(12));
  const answers = new Int32Array(new SharedArrayBuffer(12));
  const doorbell = new Doorbell(doorbells, 0);
  const url = new URL("./doorbell.presser.js", import.meta.url);
  const ends = PRESSERS.map(async (member) =>
    startWorker(test, url, { doorbells, work, answers, member, rounds: ROUNDS }).exited(
      `the end of presser ${member}`,
    ),
  );

  const answer = (): boolean => {
    let hasAnswered = false;
    for (const member of PRESSERS) {
      const round = Atomics.load(work, member);
      if (round === answers[member]) continue;
      Atomics.store(answers, member, round);
      doorbell.press(member);
      hasAnswered = true;
    }
    return hasAnswered;
  };
  const serve = async (): Promise<void> => {
    while (PRESSERS.some((member) => answers[member] !== ROUNDS)) {
      doorbell.arm();
      const pressed = answer() ? undefined : doorbell.wait();
      if (pressed !== undefined) await within(pressed, "work or its press", LOST_AFTER_MS);
      doorbell.disarm();
      if (pressed === undefined) await setImmediate();
    }
  };
  await Promise.race([serve(), Promise.all(ends)]);
  await Promise.all(ends);
});
