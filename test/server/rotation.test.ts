import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { Logger } from "../../src/log/logger.ts";
import { lifeBytes } from "../../src/memory/life-layout.ts";
import { Life } from "../../src/memory/life.ts";
import { Rotation, type RotatedThread } from "../../src/server/rotation.ts";
import type { EngineApp } from "../../src/transport/engine/app-port.ts";
import type { NodeListener } from "../../src/transport/engine/listener-port.ts";
import {
  dealtThread,
  listenerParts,
  APP_OPTIONS,
  nativeEngine,
  noNative,
} from "../support/engine.ts";

const NO_NATIVE = await noNative();

type Thread = { -readonly [Field in keyof RotatedThread]: RotatedThread[Field] };

const MEMBERS = 3;

let apps: EngineApp[];
let life: Life;
let listener: NodeListener;
let lines: string[];
let rotation: Rotation;

function newThread(): Thread {
  const app = nativeEngine().createApp(APP_OPTIONS);
  const number = apps.push(app) - 1;
  return {
    member: number,
    shard: number,
    ...dealtThread(nativeEngine().descriptorOf(app)),
    isReady: true,
    connections: 0,
    isStuck: false,
    hasEnded: false,
  };
}

/** Returns a thread that takes part. */
function entered(): Thread {
  const thread = newThread();
  rotation.enter(thread);
  return thread;
}

function isIn(thread: Thread): boolean {
  return listener.has(thread);
}

function setStuck(thread: Thread, isStuck: boolean): void {
  thread.isStuck = isStuck;
  rotation.update(thread);
}

describe("the rotation", { skip: NO_NATIVE }, () => {
  beforeEach(() => {
    apps = [];
    lines = [];
    life = new Life(new SharedArrayBuffer(lifeBytes(MEMBERS)));
    listener = nativeEngine().createListener(listenerParts());
    const note = (_: object, text: string): void => void lines.push(text);
    const sink = { debug: note, info: note, warn: note, error: note };
    rotation = new Rotation(listener, life, new Logger("debug", sink));
  });
  afterEach(async () => {
    await listener.close();
    for (const app of apps) app.close();
  });

  it("has a thread that has entered while it is neither overloaded nor stuck", () => {
    const thread = entered();
    assert.equal(isIn(thread), true);
    rotation.setOverloaded(thread, true);
    assert.equal(isIn(thread), false);
    setStuck(thread, true);
    rotation.setOverloaded(thread, false);
    assert.equal(isIn(thread), false);
    setStuck(thread, false);
    assert.equal(isIn(thread), true);
  });

  it("does not get a thread that was overloaded or stuck before it entered", () => {
    const [one, other] = [newThread(), newThread()];
    rotation.setOverloaded(one, true);
    setStuck(other, true);
    rotation.enter(one);
    rotation.enter(other);
    assert.equal(listener.size, 0);
    rotation.setOverloaded(one, false);
    setStuck(other, false);
    assert.equal(listener.size, 2);
  });

  it("does not get a thread that recovers before it has entered", () => {
    const thread = newThread();
    rotation.setOverloaded(thread, false);
    setStuck(thread, false);
    assert.equal(isIn(thread), false);
  });

  it("has a released thread never again, whose app may be closed", () => {
    const thread = entered();
    setStuck(thread, true);
    rotation.setOverloaded(thread, true);
    rotation.release(thread);
    assert.equal(life.waitReleased(thread.member, 0), true);
    setStuck(thread, false);
    rotation.setOverloaded(thread, false);
    rotation.enter(thread);
    assert.equal(isIn(thread), false);
  });

  it("notifies no thread that has ended, as its member number may get a new one", () => {
    const thread = entered();
    thread.hasEnded = true;
    rotation.release(thread);
    assert.equal(isIn(thread), false);
    assert.equal(life.waitReleased(thread.member, 0), false);
  });

  it("replaces a thread, also by one that is overloaded", () => {
    const old = entered();
    const fresh = newThread();
    rotation.setOverloaded(fresh, true);
    rotation.enter(fresh, old);
    assert.equal(isIn(old), false);
    assert.equal(life.waitReleased(old.member, 0), true);
    assert.equal(isIn(fresh), false);
    rotation.setOverloaded(fresh, false);
    assert.equal(isIn(fresh), true);
  });

  it("logs overload, and when no thread is left", () => {
    const [one, other] = [entered(), entered()];
    rotation.setOverloaded(one, true);
    setStuck(other, true);
    rotation.setOverloaded(other, true);
    rotation.setOverloaded(other, false);
    assert.deepEqual(
      lines.map((line) => line.replace(/:.*/, "")),
      [
        "overloaded shard gets no new connections",
        "all shards are overloaded, stuck or ended",
        "overloaded shard gets no new connections",
        "recovered shard gets new connections again",
      ],
    );
  });
});
