/**
 * When a task of a channel is cancelled, and when it is not.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { reply } from "../../../src/callbacks/results.ts";
import {
  channel,
  turn,
  World,
  type RecordingTasks,
  type WorldClient,
} from "../../support/world.ts";

type GivenTask = RecordingTasks["given"][number];

const room = channel({
  handleIn: {
    work: async (socket) => reply("ok", { result: await socket.task("sum") }),
    aside: (socket) => void socket.task("sum").then((result) => socket.send(result)),
  },
  handleInfo: (socket, result) => socket.push("result", { result }),
  // Slow enough for the channel to end first.
  terminate: async (socket) => void (await socket.task("last")),
});

describe("the task of a channel", () => {
  let world: World;
  let client: WorldClient;

  beforeEach(() => {
    world = new World({ channels: { "room:*": room } });
    client = world.joined();
  });

  /** Sends an event, and returns the task that it started. */
  function begun(event: string): GivenTask {
    const before = world.tasks.given.length;
    client.send(`["11","2","room:1","${event}",{}]`);
    const task = world.tasks.given[before];
    assert.ok(task, `no task came of ${event}`);
    return task;
  }

  it("is cancelled only when its channel has ended: `terminate` may still await one", async () => {
    const first = begun("aside");
    const last = begun("phx_leave");
    assert.deepEqual([last.name, first.isCancelled, last.isCancelled], ["last", false, false]);
    last.resolve(undefined);
    await turn();
    assert.deepEqual([first.isCancelled, last.isCancelled], [true, false]);
  });

  it("is forgotten when it is done, and not cancelled by the end of its channel", async () => {
    const task = begun("aside");
    task.resolve(3);
    await turn();
    assert.deepEqual(client.taken(), ['["11",null,"room:1","result",{"result":3}]']);
    begun("phx_leave").resolve(undefined);
    await turn();
    assert.equal(task.isCancelled, false);
  });

  it("is cancelled if a rejoin replaces its channel, and its result is ignored", async () => {
    const task = begun("work");
    client.send('["12","3","room:1","phx_join",{}]');
    assert.equal(task.isCancelled, true);
    client.taken();
    task.reject(new Error("late"));
    await turn();
    assert.deepEqual(client.taken(), []);
    assert.deepEqual(world.troubles(), ["duplicate channel join: the old channel was closed"]);
  });
});
