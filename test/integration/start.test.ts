/**
 * What a shard's thread is started with, and how long the server waits for it.
 *
 * Runs on: the main thread of the tests, which is also the server's main thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { serve } from "../../src/index.ts";
import { AppFile } from "../support/app-file.ts";
import { within } from "../support/deadline.ts";
import { SECRET_KEY_BASE, type Server } from "../support/server.ts";

const DEADLINE_MS = 20_000;
/** What has happened to a shard, as it and the test tell each other. */
const STEP = { started: 1, blocked: 2, ended: 3 };
const NEVER = "await new Promise(() => {});";

/** Writes an app to a file and serves it. */
async function served(
  source: string,
  options: Partial<Parameters<typeof serve>[0]>,
): Promise<Server> {
  const app = new AppFile(source);
  try {
    const serving = serve({
      app: app.path,
      host: "127.0.0.1",
      port: 0,
      shards: 1,
      secretKeyBase: SECRET_KEY_BASE,
      logLevel: "silent",
      ...options,
    });
    return await within(serving, "the start, or its failure", DEADLINE_MS);
  } finally {
    app.remove();
  }
}

/** Returns what an error says, in all that it has. */
function shownError(error: Error): object {
  const { name, message, stack: _stack, cause, ...more } = error as AggregateError;
  const errors = error instanceof AggregateError ? error.errors.map(String) : undefined;
  return {
    name,
    message,
    ...more,
    ...(cause instanceof Error && { cause: cause.message }),
    ...(errors && { errors }),
  };
}

describe("serve", () => {
  for (const [what, source] of [
    [
      "`start`",
      `export default simurgh.defineEndpoint({ sockets: {}, async start() { ${NEVER} } });`,
    ],
    ["module", `${NEVER} export default simurgh.defineEndpoint({ sockets: {} });`],
  ] as const) {
    it(`fails in time if the app's ${what} never settles`, async () => {
      await assert.rejects(served(source, { startTimeoutMs: 300 }), {
        code: "SIM_ERR_SHARD_START",
        message: "shard 0 must be ready within 300 (ms) of its start",
      });
    });
  }

  for (const [what, thrown, expected] of [
    [
      "an AggregateError without a message, as from a host with two addresses",
      'new AggregateError([new Error("connect ::1"), new Error("connect 127.0.0.1")], "")',
      {
        name: "AggregateError",
        message: "",
        errors: ["Error: connect ::1", "Error: connect 127.0.0.1"],
      },
    ],
    [
      "a plain object",
      '{ status: 503, message: "the database is away" }',
      { message: "{ status: 503, message: 'the database is away' }" },
    ],
    [
      "an error with a cause that is no error",
      'Object.assign(new Error("x", { cause: { port: 5432 } }), { code: "E_DB", isFatal: true })',
      { message: "x", code: "E_DB", isFatal: true, cause: "{ port: 5432 }" },
    ],
    ["null", "null", { message: "null" }],
  ] as const) {
    it(`fails with what the app's \`start\` throws: ${what}`, async () => {
      const source = `export default simurgh.defineEndpoint({ sockets: {}, start() { throw ${thrown}; } });`;
      const error: unknown = await served(source, {}).catch((reason: unknown) => reason);
      assert.ok(error instanceof Error);
      assert.deepEqual(shownError(error), { name: "Error", ...expected });
    });
  }

  it("fails with what the app's `start` throws if it hears of that and of the thread's end at once", async () => {
    const source = `
      export default simurgh.defineEndpoint({
        sockets: {},
        start({ data: step }) {
          Atomics.store(step, 0, ${STEP.started});
          Atomics.notify(step, 0);
          Atomics.wait(step, 0, ${STEP.started});
          process.on("exit", () => {
            Atomics.store(step, 0, ${STEP.ended});
            Atomics.notify(step, 0);
          });
          throw new Error("boom");
        },
      });`;
    const step = new Int32Array(new SharedArrayBuffer(4));
    const refused = assert.rejects(served(source, { data: step }), { message: "boom" });
    const started = Atomics.waitAsync(step, 0, 0);
    await within(Promise.resolve(started.value), "the call of `start`");
    Atomics.store(step, 0, STEP.blocked);
    Atomics.notify(step, 0);
    // Blocks the server's main thread until the shard's thread is about to end, and then a little longer.
    Atomics.wait(step, 0, STEP.blocked);
    Atomics.wait(step, 0, STEP.ended, 100);
    await refused;
  });

  it("fails, and does nothing else, if the app's module takes all memory of its thread", async () => {
    const source = `
      const kept = [];
      for (;;) kept.push(Array.from({ length: 1000 }, Math.random));
      export default simurgh.defineEndpoint({ sockets: {} });`;
    await assert.rejects(served(source, { oldGenerationMb: 64 }), ({ code, message, cause }) => {
      assert.equal(code, "SIM_ERR_SHARD_START");
      assert.equal(message, "shard 0 ended before it was ready");
      assert.equal(cause.code, "ERR_WORKER_OUT_OF_MEMORY");
      return true;
    });
  });

  it("refuses an invalid app or adapter before anything is started", async () => {
    const app = "app must be the URL or path of a module, got";
    const adapter = "adapter must be { module, options }, as returned by `memoryAdapter`";
    for (const [given, message] of [
      [{ shard: 2 } as object, "option must be a server option, got shard; did you mean shards?"],
      [{ app: undefined }, `${app} undefined`],
      [{ app: "" }, `${app} an empty string`],
      [{ adapter: {} }, adapter],
      [{ adapter: null }, adapter],
    ] as const) {
      const options = { app: "app.js", logLevel: "silent", ...given } as never;
      await assert.rejects(serve(options), { code: "SIM_ERR_OPTION_INVALID", message });
    }
  });

  it("sets the young generation of each shard's heap as configured", async () => {
    const source = `
      import { resourceLimits } from "node:worker_threads";
      const limits = () => ({ status: 200, body: resourceLimits });
      export default simurgh.defineEndpoint({ sockets: {}, routes: { "GET /limits": limits } });`;
    for (const [given, expected] of [
      [{}, 16],
      [{ youngGenerationMb: 12 }, 12],
    ] as const) {
      const server = await served(source, given);
      const answer = await fetch(`http://127.0.0.1:${server.port}/limits`);
      const limits = (await answer.json()) as { maxYoungGenerationSizeMb: number };
      assert.equal(limits.maxYoungGenerationSizeMb, expected);
      await server.close();
    }
  });
});
