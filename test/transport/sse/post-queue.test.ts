/**
 * The POSTs of a session, against a connection that says when it wants no more.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { PostQueue } from "../../../src/transport/sse/post-queue.ts";

const NEVER_MS = 3_600_000;

/** A connection that stops after each frame, if it is told to. */
class Taker {
  readonly frames: unknown[] = [];
  takesMore = true;
  /** Bytes of each POST that could not be handed over at once. */
  readonly waiting: number[] = [];
  readonly queue: PostQueue;

  constructor(timeoutMs = NEVER_MS) {
    this.queue = new PostQueue(
      (frame) => {
        this.frames.push(frame);
        return this.takesMore;
      },
      timeoutMs,
      (bytes) => this.waiting.push(bytes),
    );
  }
}

describe("the POSTs of a session", () => {
  it("are handed over frame by frame, each when the connection wants more", async () => {
    const { queue, frames } = Object.assign(new Taker(), { takesMore: false });
    const posts = [queue.post("1\n2\r\n\n3", undefined), queue.post("4", undefined)];
    for (let count = 1; count <= 4; count += 1) {
      assert.equal(frames.length, count);
      queue.resume();
    }
    assert.deepEqual(await Promise.all(posts), [204, 204]);
    assert.deepEqual(frames, ["1", "2", "3", "4"]);
    assert.equal(queue.waitingBytes, 0);
  });

  it("are told to the node while they wait, and only then", async () => {
    const taker = new Taker();
    await taker.queue.post("at once", undefined);
    assert.deepEqual(taker.waiting, []);
    taker.takesMore = false;
    const posts = [taker.queue.post("1\n2", undefined), taker.queue.post("more", undefined)];
    assert.deepEqual(taker.waiting, [3, 4]);
    taker.takesMore = true;
    taker.queue.resume();
    assert.deepEqual(await Promise.all(posts), [204, 204]);
    assert.deepEqual(taker.waiting, [3, 4]);
  });

  it("are refused as a whole if a line is no frame", async () => {
    const { queue, frames } = new Taker();
    assert.equal(await queue.post("1\n=!", 1), 400);
    assert.equal(await queue.post("x\n".repeat(1_001), 2), 413);
    assert.deepEqual(frames, []);
  });

  it("are answered with 408 if they take too long, and the rest is dropped", async () => {
    const { queue, frames } = Object.assign(new Taker(1), { takesMore: false });
    assert.equal(await queue.post("1\n2", undefined), 408);
    queue.resume();
    assert.deepEqual(frames, ["1"]);
    assert.equal(queue.waitingBytes, 0);
  });

  it("are answered with 429 if too many wait, but a large one alone is taken", async () => {
    const { queue } = Object.assign(new Taker(), { takesMore: false });
    const large = queue.post("x".repeat(300_000), undefined);
    const waiting = queue.post("2", undefined);
    assert.equal(await waiting, 429);
    queue.resume();
    assert.equal(await large, 204);
  });

  it("may be repeated after 429, with the same number", async () => {
    const { queue, frames } = Object.assign(new Taker(), { takesMore: false });
    const large = queue.post("x".repeat(300_000), 1);
    assert.equal(await queue.post("2", 2), 429);
    queue.resume();
    assert.equal(await large, 204);
    const repeated = queue.post("2", 2);
    queue.resume();
    assert.equal(await repeated, 204);
    assert.equal(frames.at(-1), "2");
  });

  it("are answered with 410 when the connection ends, also later ones", async () => {
    const { queue } = Object.assign(new Taker(), { takesMore: false });
    const post = queue.post("1\n2", 7);
    queue.stop();
    assert.equal(await post, 410);
    assert.equal(await queue.post("3", 8), 410);
  });

  it("are answered with 204 if their last frame ends the connection", async () => {
    const receive = (frame: unknown): boolean => {
      if (frame === "bye") queue.stop();
      return true;
    };
    const queue: PostQueue = new PostQueue(receive, NEVER_MS, () => {});
    assert.equal(await queue.post("1\nbye", undefined), 204);
    assert.equal(await queue.post("2", undefined), 410);
  });

  it("are handed over once, whatever is repeated", async () => {
    const { queue, frames } = Object.assign(new Taker(), { takesMore: false });
    const posts = [queue.post("1\n2", 1), queue.post("1\n2", 1)];
    queue.resume();
    queue.resume();
    posts.push(queue.post("1\n2", 1), queue.post("3", 2));
    queue.resume();
    posts.push(queue.post("1\n2", 1));
    assert.deepEqual(await Promise.all(posts), [204, 204, 204, 204, 204]);
    assert.deepEqual(frames, ["1", "2", "3"]);
  });
});
