/**
 * An app whose channel runs work in the task pool.
 *
 * Runs on: every shard, which loads it by its URL.
 */

import {
  defineChannel,
  defineEndpoint,
  defineSocket,
  error,
  ok,
  reply,
  type HandleInResult,
} from "../../src/index.ts";

const userSocket = defineSocket({ connect: () => ok({}) });

/** Shared with this shard's burning tasks: word 0 tells them to stop, word 1 says that they run. */
const flag = new SharedArrayBuffer(8);
const words = new Int32Array(flag);
const patience = new AbortController();

/** Replies with the result of a task, or with its error. */
async function outcomeOf(task: Promise<unknown>, shard: number): Promise<HandleInResult> {
  try {
    return reply("ok", { result: await task, shard });
  } catch (cause) {
    const { code, message, stack } = cause as NodeJS.ErrnoException;
    return error({ code, message, stack });
  }
}

const room = defineChannel(userSocket, {
  join: () => ok(),
  handleIn: {
    task: (socket, { name, input }: { name: string; input?: unknown }) =>
      outcomeOf(socket.task(name, input), socket.shard),
    burn(socket) {
      words.fill(0);
      return outcomeOf(socket.task("burn", flag), socket.shard);
    },
    // Not awaited: the channel handles its next message, and may end before the task.
    burn_aside(socket) {
      words.fill(0);
      void socket.task("burn", flag).then((result) => socket.send(result));
      return reply("ok");
    },
    async transfer(socket) {
      const bytes = new Uint8Array([1, 2, 3]);
      const result = await socket.task("sum", bytes, { transfer: [bytes.buffer] });
      return reply("ok", { result, left: bytes.byteLength });
    },
    async gives_back(socket) {
      const bytes = (await socket.task("ones", 3)) as Uint8Array;
      return reply("ok", { sum: await socket.task("sum", bytes), left: await socket.task("left") });
    },
    // Not awaited: the next message aborts it.
    burn_until_abort(socket) {
      words.fill(0);
      const task = socket.task("burn", flag, { signal: patience.signal });
      void task.catch((reason: unknown) => socket.send(String(reason)));
      return reply("ok");
    },
    abort: () => patience.abort(new Error("no patience")),
    async uncaught(socket) {
      await socket.task("fail");
    },
  },
  handleInfo: (socket, result) => socket.push("result", { result }),
});

/** Observes and controls the tasks from another topic of the same connection. */
const control = defineChannel(userSocket, {
  join: () => ok(),
  handleIn: {
    async started() {
      await Atomics.waitAsync(words, 1, 0).value;
      return reply("ok");
    },
    release() {
      Atomics.store(words, 0, 1);
      return reply("ok");
    },
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket: userSocket, channels: { "room:*": room, control } } },
  routes: {
    "GET /exit": () => process.exit(7),
    "GET /double": async (_request, context) => ({
      status: 200,
      body: JSON.stringify({
        result: await context.task("double", { n: 4 }),
        started: context["started"],
      }),
    }),
    async "GET /burn"({ signal }, context) {
      words.fill(0);
      return { status: 200, body: String(await context.task("burn", flag, { signal })) };
    },
  },
  tasks: new URL("./tasks.work.js", import.meta.url),
  async start(context) {
    context["started"] = await context.task("double", { n: 3 });
  },
});
