import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";

import { UnreadAnswers } from "../../../../src/transport/engine/portable/unread-answers.ts";

const CHECK_MS = 5_000;

/** An answer whose client may read. */
class Answer {
  takenBytes = 0;
  cuts = 0;

  cut(): void {
    this.cuts += 1;
  }
}

function pass(checks: number): void {
  for (let check = 0; check < checks; check += 1) mock.timers.tick(CHECK_MS);
}

describe("an unread answer", () => {
  let answers: UnreadAnswers;
  let answer: Answer;

  beforeEach(() => {
    mock.timers.enable({ apis: ["setInterval"] });
    answers = new UnreadAnswers();
    answer = new Answer();
    answers.add(answer);
  });

  afterEach(() => {
    answers.close();
    mock.timers.reset();
  });

  it("is cut when its client has read nothing for 30 seconds", () => {
    pass(6);
    assert.equal(answer.cuts, 0);
    pass(1);
    assert.equal(answer.cuts, 1);
  });

  it("is not cut while its client reads, however little", () => {
    for (let round = 0; round < 10; round += 1) {
      pass(6);
      answer.takenBytes += 1;
    }
    assert.equal(answer.cuts, 0);
    pass(7);
    assert.equal(answer.cuts, 1);
  });

  it("is not cut when it has been read, or is added again", () => {
    pass(3);
    answers.add(answer);
    pass(3);
    answers.remove(answer);
    pass(10);
    assert.equal(answer.cuts, 0);
  });
});
