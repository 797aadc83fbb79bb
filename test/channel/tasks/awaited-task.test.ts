/**
 * Tasks that a channel's handlers wait for.
 *
 * Runs on: the test's thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ok } from "../../../src/callbacks/results.ts";
import { CRASHED, push, replied } from "../../support/channel-frames.ts";
import { channel, turn, World } from "../../support/world.ts";

describe("a task of a channel", () => {
  const room = channel({
    handleIn: {
      work: async (socket, payload) => ok(await socket.task("double", payload)),
      echo: () => ok(),
    },
  });

  it("returns its result to the handler that awaits it; other messages wait as well", async () => {
    const world = new World({ channels: { "room:*": room } });
    const client = world.joined();
    client.send(push("work", "2", 4), push("echo", "3"));
    const [task] = world.tasks.given;
    assert.deepEqual([task?.name, client.taken()], ["double", []]);
    task?.resolve(8);
    await turn();
    assert.deepEqual(client.taken(), [replied(8), replied({}, "ok", "3")]);
    client.connection.lose();
    assert.equal(task?.isCancelled, false);
  });

  it("that fails crashes the channel whose handler awaits it", async () => {
    const world = new World({ channels: { "room:*": room } });
    const client = world.joined();
    client.send(push("work"));
    world.tasks.given[0]?.reject(new Error("no"));
    await turn();
    assert.deepEqual(client.taken(), [CRASHED]);
    assert.equal(world.lastError(), "no");
  });

  it("is cancelled when its channel ends, and is not started after that", async () => {
    const sockets: { task: (name: string) => Promise<unknown> }[] = [];
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            work: (socket) => {
              sockets.push(socket);
              void socket.task("endless");
            },
          },
        }),
      },
    });
    const client = world.joined();
    client.send(push("work"), push("phx_leave", "3"));
    assert.equal(world.tasks.given[0]?.isCancelled, true);
    void sockets[0]?.task("late");
    await turn();
    assert.equal(world.tasks.given.length, 1);
  });
});
