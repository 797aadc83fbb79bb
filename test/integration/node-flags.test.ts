/**
 * Servers of a Node.js that was started with flags, or without a file.
 *
 * Runs on: the test's thread; each server is a process of its own.
 * Slow: it starts several servers with tasks, one after the other.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, describe, it } from "node:test";

import { AppFile } from "../support/app-file.ts";

const INDEX = JSON.stringify(new URL("../../src/index.js", import.meta.url).href);
const app = new AppFile(`
  export default simurgh.defineEndpoint({
    sockets: {},
    tasks: new URL("./tasks.mjs", import.meta.url),
    routes: {
      "GET /preloads": async (_request, context) => ({
        status: 200,
        body: (globalThis.preloads ?? 0) + " " + (await context.task("preloads")),
      }),
    },
  });
`);
app.writeBeside(
  "tasks.mjs",
  `import { defineTasks } from ${INDEX};
   export default defineTasks({ preloads: () => globalThis.preloads ?? 0 });`,
);
const preload = app.writeBeside(
  "preload.cjs",
  "globalThis.preloads = (globalThis.preloads ?? 0) + 1;",
);
/** Serves the app, and prints the answer of its route. */
const program = `
  const { serve } = await import(${INDEX});
  const options = { app: ${JSON.stringify(app.path)}, host: "127.0.0.1", port: 0, shards: 1 };
  const server = await serve({ ...options, logLevel: "error" });
  console.log(await (await fetch("http://127.0.0.1:" + server.port + "/preloads")).text());
  await server.close();
`;
const file = app.writeBeside("main.mjs", program);

/** Runs Node.js, and returns what it prints. */
function printed(
  flags: readonly string[],
  { input = "", nodeOptions = "" }: { input?: string; nodeOptions?: string } = {},
): string {
  const env = { ...process.env, NODE_OPTIONS: nodeOptions };
  const given = { input, env, encoding: "utf8", timeout: 120_000 } as const;
  const { stdout, stderr } = spawnSync(process.execPath, flags, given);
  return stdout + stderr;
}

describe("a server", () => {
  after(() => app.remove());

  it("runs from the text of a module", () => {
    assert.equal(printed(["--input-type=module", "--eval", program]), "0 0\n");
    assert.equal(printed(["--input-type", "module", "-e", program]), "0 0\n");
  });

  it("runs from the text of a script", () => {
    assert.equal(printed(["--eval", `(async () => { ${program} })()`]), "0 0\n");
  });

  it("runs from standard input", () => {
    assert.equal(printed(["--input-type=module", "-"], { input: program }), "0 0\n");
    const nodeOptions = "--no-warnings --input-type=module";
    assert.equal(printed(["-"], { input: program, nodeOptions }), "0 0\n");
  });

  it("runs from the text of a module with flags of V8 and of the process", () => {
    const flags = ["--max-old-space-size=512", "--title=server", "--input-type=module"];
    assert.equal(printed([...flags, "--eval", program]), "0 0\n");
  });

  it("loads preloaded modules once in each thread", () => {
    assert.equal(printed(["--require", preload, file]), "1 1\n");
    assert.equal(printed(["--import", preload, file]), "1 1\n");
    assert.equal(printed([file], { nodeOptions: `--import ${preload}` }), "1 1\n");
    assert.equal(printed(["--import", preload, "--input-type=module", "-e", program]), "1 1\n");
  });
});
