import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";

import { within } from "../support/deadline.ts";
import type { Outcome } from "./app-module.worker.ts";

/** Fixtures are read from the source tree: compiled, they would be JavaScript. */
const FIXTURES = new URL("../../../test/fixtures/app-module/", import.meta.url);
const ROOT = mkdtempSync(join(tmpdir(), "simurgh-test-"));
after(() => {
  rmSync(ROOT, { recursive: true });
});

/** Loads an app module in a worker thread of its own, which must then end by itself. */
async function loaded(url: string): Promise<Outcome> {
  const file = new URL("./app-module.worker.js", import.meta.url);
  const worker = new Worker(file, { workerData: url });
  const exited = once(worker, "exit");
  const [outcome] = (await within(once(worker, "message"), "the outcome")) as [Outcome];
  assert.deepEqual(await within(exited, "the worker's end"), [0]);
  return outcome;
}

/** Writes files into a folder of their own, and gives the URL of the first. */
function written(files: Record<string, string>): string {
  const folder = mkdtempSync(join(ROOT, "app-"));
  for (const [name, source] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), source);
  }
  return pathToFileURL(join(folder, Object.keys(files)[0] as string)).href;
}

async function refused(url: string, message: RegExp, cause?: RegExp): Promise<void> {
  const outcome = await loaded(url);
  assert.equal(outcome.code, "SIM_ERR_APP_MODULE", outcome.message);
  assert.match(outcome.message ?? "", message);
  if (cause === undefined) assert.equal(outcome.causeMessage, undefined);
  else assert.match(outcome.causeMessage ?? "no cause", cause);
}

describe("loadAppModule", () => {
  it("gives the default export of a module in JavaScript", async () => {
    const { answers } = await loaded(new URL("app.js", FIXTURES).href);
    assert.deepEqual(answers, ["app.js"]);
  });

  it("loads TypeScript and the TypeScript that it imports, by either name", async () => {
    const { answers, message } = await loaded(new URL("app.ts", FIXTURES).href);
    assert.deepEqual(
      answers,
      [{ from: "deepest.ts" }, { from: "module.mts" }, { from: "plain.js" }],
      message,
    );
  });

  it("leaves lines and columns of stack traces as they are in the source", async () => {
    const url = new URL("app.ts", FIXTURES);
    const lines = readFileSync(fileURLToPath(url), "utf8").split("\n");
    const line = lines.findIndex((text) => text.includes("new Error(")) + 1;
    const column = (lines[line - 1] as string).indexOf("new Error(") + 1;

    const { where, message } = await loaded(url.href);
    assert.ok(where?.includes(`app.ts:${line}:${column})`), where ?? message);
  });

  it("loads several modules at once, and the same one again in another thread", async () => {
    const urls = ["app.ts", "app.ts", "app.js"].map((name) => new URL(name, FIXTURES).href);
    const outcomes = await Promise.all(urls.map(loaded));
    assert.deepEqual(
      outcomes.map(({ message }) => message),
      [undefined, undefined, undefined],
    );
  });

  it("refuses what is no file", async () => {
    await refused(new URL("none.ts", FIXTURES).href, /must be a file, got none at \/.*none\.ts$/);
    await refused("./app.ts", /must be a file: URL, got \.\/app\.ts$/);
    await refused("node:fs", /must be a file: URL, got node:fs$/);
  });

  it("refuses a module without a default export", async () => {
    const url = written({ "app.mjs": "export const app = 1; export const other = 2;" });
    await refused(
      url,
      /must have a default export made by defineEndpoint, got app, other in .*app\.mjs$/,
    );
    await refused(
      written({ "app.ts": "export {};\nconst app: number = 1;" }),
      /got no export in .*app\.ts$/,
    );
    await refused(written({ "app.mjs": "export default undefined;" }), /got no export in/);
  });

  it("gives the default export of CommonJS, written by hand or compiled from a module", async () => {
    const app = '{ answers: ["app.cjs"], where: () => "" }';
    const compiled =
      `Object.defineProperty(exports, "__esModule", { value: true });\nexports.default = ${app};\n` +
      "exports.other = 1;";
    for (const source of [`module.exports = ${app};`, compiled]) {
      const { answers, message } = await loaded(written({ "app.cjs": source }));
      assert.deepEqual(answers, ["app.cjs"], message);
    }
    await refused(
      written({ "app.cjs": compiled.replace("exports.default", "exports.app") }),
      /must have a default export made by defineEndpoint, got app, other in .*app\.cjs$/,
    );
  });

  it("names the setting that is missing if Node.js takes a module for CommonJS", async () => {
    const files = { "app.js": "export default 1;\n", "package.json": '{ "type": "commonjs" }' };
    await refused(
      written(files),
      /must be free of syntax errors, got .*; set "type": "module"/,
      /./,
    );
    const importing = { ...files, "app.js": 'import "node:fs";\nexport default 1;\n' };
    await refused(written(importing), /app\.js or what it imports\); set "type": "module"/, /./);
  });

  it("names the file and the place of what cannot be stripped", async () => {
    const files = {
      "app.ts": 'import { Colour } from "./colour.ts";\nexport default Colour;\n',
      "colour.ts": "export const first: number = 1;\nexport enum Colour { Red }\n",
    };
    await refused(
      written(files),
      /types can be stripped, .*colour\.ts.*erasableSyntaxOnly/s,
      /enum/,
    );
    const app = "export default class {\n  constructor(private readonly name: string) {}\n}\n";
    await refused(
      written({ "app.ts": app }),
      /types can be stripped, .*app\.ts:2/,
      /parameter prop/,
    );
  });

  it("names the file of a syntax error", async () => {
    await refused(written({ "app.ts": "export default {\nconst: = 3" }), /at .*app\.ts:2/, /./);
    await refused(
      written({ "app.mjs": "export default {\nconst x = 3" }),
      /must be free of syntax errors, got SyntaxError: .*node .*app\.mjs shows the line/,
      /./,
    );
  });

  it("says how types are imported where a type was imported as a value", async () => {
    const files = {
      "app.ts": 'import { Name } from "./name.ts";\nexport default "" as Name;\n',
      "name.ts": "export type Name = string;\n",
    };
    await refused(written(files), /`import type`/, /does not provide an export named 'Name'/);
  });

  it("names an import that is not there", async () => {
    const files = { "app.ts": 'import "./gone.js";\nexport default 1;\n' };
    await refused(written(files), /must import modules that exist, got .*gone\.ts/, /gone\.ts/);
    const module = { "app.mjs": 'import "no-such-package";\nexport default 1;\n' };
    await refused(
      written(module),
      /must import modules that exist, .*no-such-package/,
      /no-such-pack/,
    );
  });

  it("keeps the error that the module threw", async () => {
    const url = written({ "app.ts": 'throw new RangeError("no database" as string);\n' });
    await refused(url, /must load without an error, got RangeError: no database/, /^no database$/);
  });

  it("names the line that threw, also if a package or this one threw there", async () => {
    const simurgh = JSON.stringify(new URL("../../src/index.js", import.meta.url).href);
    const wrong = `import { defineSocket } from ${simurgh};\n\n  defineSocket({} as never);\n`;
    await refused(
      written({ "app.ts": wrong }),
      /undefined \(at file:\/\/\/.*\/app\.ts:3:3\)$/,
      /connect/,
    );
    const files = {
      "app.mjs": 'import one from "one";\none();\nexport default 1;\n',
      "node_modules/one/package.json": '{"type":"module","exports":"./one.js"}',
      "node_modules/one/one.js": 'export default () => {\n\n  throw new Error("no");\n};\n',
    };
    await refused(written(files), /Error: no \(at file:\/\/\/.*\/app\.mjs:2:1\)$/, /^no$/);
    const without = "throw Object.assign(new Error('no'), { stack: undefined });\n";
    await refused(
      written({ "app.mjs": without }),
      /no \(in .*app\.mjs or what it imports\)$/,
      /no/,
    );
  });

  it("refuses a folder", async () => {
    await refused(new URL(".", FIXTURES).href, /must be a file, got the folder \/.*app-module\/$/);
  });

  it("strips nothing in node_modules", async () => {
    const files = {
      "app.ts": 'import one from "one";\nexport default one;\n',
      "node_modules/one/package.json": '{"type":"module","exports":"./one.ts"}',
      "node_modules/one/one.ts": "export default 1 as number;\n",
    };
    await refused(written(files), /node_modules\/one\/one\.ts/, /node_modules|\.ts/);
  });
});
