import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";

import { ListeningDoor } from "../../../../src/transport/engine/portable/listening-door.ts";

const PLACE = { host: "127.0.0.1", port: 1, isShared: true };

/** A door whose attempts the test settles, and the calls that it makes. */
function makeDoor(): {
  readonly door: ListeningDoor;
  readonly calls: string[];
  readonly settle: (isListening: boolean) => Promise<void>;
} {
  const calls: string[] = [];
  const attempts: ((isListening: boolean) => void)[] = [];
  const door = new ListeningDoor(
    {
      listen: async () => {
        calls.push("listen");
        return new Promise((resolve) => void attempts.push(resolve));
      },
      stopListening: () => void calls.push("stop"),
    },
    () => void calls.push(door.isOpen ? "open" : "failed"),
  );
  const settle = async (isListening: boolean): Promise<void> => {
    attempts.shift()?.(isListening);
    await setImmediate();
  };
  return { door, calls, settle };
}

describe("a door", () => {
  it("is open once it listens, and closed at once", async () => {
    const { door, calls, settle } = makeDoor();
    const opened = door.open(PLACE);
    assert.equal(door.isOpen, false);
    await settle(true);
    assert.equal(await opened, true);
    assert.equal(await door.open(PLACE), true);
    door.close(false);
    door.close(false);
    assert.equal(door.isOpen, false);
    assert.deepEqual(calls, ["listen", "open", "stop"]);
  });

  it("says that the first attempt has failed, and tries again", async () => {
    const { door, calls, settle } = makeDoor();
    const opened = door.open(PLACE);
    await settle(false);
    assert.equal(await opened, false);
    while (calls.length < 3) await setImmediate();
    assert.equal(await door.open(PLACE), false);
    await settle(true);
    assert.equal(await door.open(PLACE), true);
    assert.deepEqual(calls, ["listen", "failed", "listen", "open"]);
  });

  it("stays closed if it is closed during an attempt", async () => {
    const { door, calls, settle } = makeDoor();
    const opened = door.open(PLACE);
    door.close(false);
    assert.equal(await opened, false);
    await settle(true);
    assert.equal(door.isOpen, false);
    assert.deepEqual(calls, ["listen", "stop"]);
  });

  it("listens again if it is closed and opened during an attempt, since it has stopped after that", async () => {
    const { door, calls, settle } = makeDoor();
    void door.open(PLACE);
    door.close(false);
    const opened = door.open(PLACE);
    await settle(true);
    assert.equal(door.isOpen, false);
    await settle(true);
    assert.equal(await opened, true);
    assert.deepEqual(calls, ["listen", "stop", "listen", "open"]);
  });
});
