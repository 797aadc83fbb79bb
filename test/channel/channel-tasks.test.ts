/**
 * Tasks of channels, in a shard whose pool is the test.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import type { ChannelDefinition, ChannelSocket } from "../../src/channel/definition.ts";
import { reply } from "../../src/channel/results.ts";
import type { Task, Tasks } from "../../src/channel/tasks.ts";
import { channel, Deferred, turn, World, type WorldClient } from "../support/world.ts";

interface Given {
  readonly name: string;
  readonly input: unknown;
  readonly settled: Deferred;
  isCancelled: boolean;
}

/** A pool that settles a task when the test says so. */
class ManualTasks implements Tasks {
  readonly given: Given[] = [];

  run(name: string, input: unknown): Task {
    const given = { name, input, settled: new Deferred(), isCancelled: false };
    this.given.push(given);
    return {
      result: given.settled.promise,
      cancel() {
        given.isCancelled = true;
      },
    };
  }

  /** The task that was given last. */
  get last(): Given {
    const last = this.given.at(-1);
    assert.ok(last, "no task was given");
    return last;
  }
}

const [JOIN, WORK, ASIDE, LEAVE] = [
  '["11","1","room:1","phx_join",{}]',
  '["11","2","room:1","work",{}]',
  '["11","2","room:1","aside",{}]',
  '["11","9","room:1","phx_leave",{}]',
];

describe("a task of a channel", () => {
  let tasks: ManualTasks;
  let client: WorldClient;
  let world: World;
  let goneOn: string[];
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);

  beforeEach(() => {
    tasks = new ManualTasks();
    goneOn = [];
    unhandled.length = 0;
    process.on("unhandledRejection", onUnhandled);
    const room: ChannelDefinition = channel({
      handleIn: {
        async work(socket) {
          return reply("ok", { result: await socket.task("sum", [1, 2]) });
        },
        aside: (socket) => void aside(socket),
      },
      handleInfo: (socket, result) => socket.push("result", { result }),
      // Ends the channel late, so that there is a time in which it ends.
      terminate: async (socket) => void (await socket.task("last")),
    });
    world = new World({ channels: { "room:*": room }, tasks });
    client = world.joined();
  });
  afterEach(() => {
    process.off("unhandledRejection", onUnhandled);
  });

  async function aside(socket: ChannelSocket): Promise<void> {
    const result = await socket.task("sum", [1, 2]);
    goneOn.push("aside");
    socket.send(result);
  }

  it("gives its result to the handler, and the next message its turn", async () => {
    client.send(WORK, ASIDE);
    const [work] = tasks.given;
    assert.deepEqual([work?.name, work?.input], ["sum", [1, 2]]);
    assert.equal(tasks.given.length, 1);
    work?.settled.resolve(3);
    await turn();
    const answer = '{"status":"ok","response":{"result":3}}';
    assert.deepEqual(client.taken(), [`["11","2","room:1","phx_reply",${answer}]`]);
    assert.equal(tasks.given.length, 2);
  });

  it("is cancelled when its channel has ended, and not before `terminate` is done", async () => {
    client.send(ASIDE);
    const first = tasks.last;
    client.send(LEAVE);
    const inTerminate = tasks.last;
    assert.equal(inTerminate.name, "last");
    assert.deepEqual([first.isCancelled, inTerminate.isCancelled], [false, false]);
    inTerminate.settled.resolve(undefined);
    await turn();
    assert.deepEqual([first.isCancelled, inTerminate.isCancelled], [true, false]);
  });

  it("is forgotten when it is done: the end of its channel does not cancel it", async () => {
    client.send(ASIDE);
    const first = tasks.last;
    first.settled.resolve(3);
    await turn();
    client.send(LEAVE);
    tasks.last.settled.resolve(undefined);
    await turn();
    assert.deepEqual([first.isCancelled, goneOn], [false, ["aside"]]);
  });

  it("is cancelled where a rejoin replaces its channel, whose handler goes no further", async () => {
    client.send(WORK);
    const work = tasks.last;
    client.send(JOIN);
    client.taken();
    assert.equal(work.isCancelled, true);
    // What comes all the same, as where it was done already, is nobody's.
    work.settled.reject(new Error("late"));
    await turn();
    assert.deepEqual(
      [client.taken(), world.troubles(), unhandled],
      [[], ["duplicate channel join: the old channel was closed"], []],
    );
  });

  it("that is begun by what is left of a channel is not run", async () => {
    client.send(ASIDE);
    const first = tasks.last;
    client.send(JOIN);
    assert.equal(first.isCancelled, true);
    const before = tasks.given.length;
    let old: ChannelSocket | undefined;
    const keeping = channel({
      join(socket) {
        old = socket;
        return reply("ok") as never;
      },
    });
    const other = new World({ channels: { "room:*": keeping }, tasks });
    other.joined().send(LEAVE);
    void old?.task("sum", []).then(() => goneOn.push("old"));
    await turn();
    assert.deepEqual([tasks.given.length, goneOn], [before, []]);
  });

  it("that fails where nobody looks is an unhandled rejection, which the shard's net logs", async () => {
    client.send(ASIDE);
    tasks.last.settled.reject(new Error("too far"));
    await turn();
    assert.deepEqual(unhandled.map(String), ["Error: too far"]);
  });
});
