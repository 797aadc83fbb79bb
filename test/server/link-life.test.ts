import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Logger } from "../../src/log/logger.ts";
import { LinkLife } from "../../src/server/link-life.ts";
import type { MemberThread } from "../../src/server/member-thread.ts";
import { RestartBound } from "../../src/server/restart-bound.ts";
import { turn } from "../support/world.ts";

const THREAD = { failure: undefined } as MemberThread;

/** A link whose threads start or fail as the test says. */
function makeLink(): { link: LinkLife; failures: Error[]; log: string[]; launched: () => number } {
  const log: string[] = [];
  const failures: Error[] = [];
  const note = (_: object, text: string): void => void log.push(text.split(/[:,]/, 1)[0] ?? "");
  const logger = new Logger("debug", { debug: note, info: note, warn: note, error: note });
  let count = 0;
  const launchLink = async (): Promise<MemberThread> => {
    count += 1;
    const failure = failures.shift();
    if (failure) throw failure;
    return THREAD;
  };
  const link = new LinkLife({ launchLink }, new RestartBound(), logger);
  return { link, failures, log, launched: () => count };
}

describe("the link's life", () => {
  it("fails with the error of the first thread, and does not try again", async () => {
    const { link, failures, log, launched } = makeLink();
    failures.push(new Error("no broker"));
    await assert.rejects(link.start(), { message: "no broker" });
    link.ended(THREAD);
    link.retired();
    await turn();
    assert.equal(launched(), 1);
    assert.deepEqual(log, []);
  });

  it("continues with a new thread when the old one's number is free, even after failures", async () => {
    const { link, failures, log, launched } = makeLink();
    await link.start();
    failures.push(new Error("no broker"));
    link.ended(THREAD);
    assert.equal(launched(), 1);
    link.retired();
    await turn();
    // The thread that failed ends, and is retired.
    link.ended(THREAD);
    link.retired();
    await turn();
    assert.equal(launched(), 3);
    assert.deepEqual(log, [
      "link to other nodes ended unexpectedly",
      "link to other nodes could not be replaced",
      "link to other nodes ended unexpectedly",
      "link to other nodes replaced",
    ]);
  });

  it("ends if the thread ends too often, and when the server closes", async () => {
    const { link, log, launched } = makeLink();
    await link.start();
    for (let count = 0; count < 6; count += 1) {
      link.retired();
      await turn();
    }
    assert.equal(launched(), 6);
    assert.equal(log.at(-1), "link to other nodes ended too often");
    const closing = makeLink();
    await closing.link.start();
    closing.link.close();
    closing.link.retired();
    await turn();
    assert.equal(closing.launched(), 1);
  });
});
