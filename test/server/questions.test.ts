import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Questions, type Asked } from "../../src/server/questions.ts";

interface FakeThread extends Asked {
  readonly ids: number[];
}

function thread(shard: number): FakeThread {
  const ids: number[] = [];
  return {
    shard,
    ids,
    send: (message) => {
      if (message.kind === "ask") ids.push(message.id);
    },
  };
}

function answer(questions: Questions, from: FakeThread, value: number): void {
  questions.answered(from, { kind: "answer", id: from.ids.shift() ?? -1, answer: value });
}

const QUESTION = { about: "subscribers", topic: "room:1" } as const;

describe("Questions", () => {
  it("return the answers of all, in the order of the threads", async () => {
    const questions = new Questions(10_000);
    const [one, other] = [thread(0), thread(1)];
    const asked = questions.ask([one, other], QUESTION);
    answer(questions, other, 2);
    answer(questions, one, 1);
    assert.deepEqual(await asked, [1, 2]);
  });

  it("keep several questions apart", async () => {
    const questions = new Questions(10_000);
    const one = thread(0);
    const [first, second] = [questions.ask([one], QUESTION), questions.ask([one], QUESTION)];
    one.ids.reverse();
    answer(questions, one, 2);
    answer(questions, one, 1);
    assert.deepEqual([await first, await second], [[1], [2]]);
  });

  it("go on without the answer of a thread that ends", async () => {
    const questions = new Questions(10_000);
    const [one, other] = [thread(0), thread(1)];
    const asked = questions.ask([one, other], QUESTION);
    questions.ended(one);
    answer(questions, other, 2);
    assert.deepEqual(await asked, [2]);
  });

  it("name the shards that are late, and ignore their late answers", async () => {
    const questions = new Questions(1);
    const threads = [thread(0), thread(1), thread(2)];
    const asked = questions.ask(threads, QUESTION);
    answer(questions, threads[1] as FakeThread, 2);
    await assert.rejects(asked, {
      code: "SIM_ERR_SHARD_BUSY",
      message: "shards 0, 2 must answer within 1 (ms), got no answer",
    });
    answer(questions, threads[0] as FakeThread, 1);
    await assert.rejects(questions.ask([thread(5)], QUESTION), { message: /^shard 5 must answer/ });
  });

  it("return nothing if there is no thread to ask", async () => {
    assert.deepEqual(await new Questions(10_000).ask([], QUESTION), []);
  });
});
