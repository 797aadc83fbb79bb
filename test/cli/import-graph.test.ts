/**
 * The import graph of an app, read from the text of its files.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import { changedFiles, readImportGraph } from "../../src/cli/import-graph.ts";

describe("the import graph", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "simurgh-test-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function write(name: string, text: string): string {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  function filesOf(app: string, isThere = true): string[] {
    const graph = [...readImportGraph(app)].filter(([, hash]) => (hash !== "") === isThere);
    return graph.map(([file]) => relative(root, file)).toSorted();
  }

  it("contains everything that is imported, in any form, and their imports", () => {
    const app = write(
      "app.ts",
      `import a from "./a.js";
       import "./b.mjs";
       import { one,
         two } from './lib/c.ts';
       export * from "./d.js";
       const e = await import(\`./e.js\`);
       const f = createRequire(import.meta.url)("x"), g = require("./g");
       const tasks = new URL("./tasks.js", import.meta.url), page = new URL("./page.html?v=1", import.meta.url);
       import "phoenix"; import "node:fs"; import "./node_modules/x/index.js";`,
    );
    const others = ["a.ts", "b.mjs", "d.js", "e.js", "g.js", "tasks.ts", "page.html"];
    for (const name of others) write(name, "");
    write("lib/c.ts", `import "../a.js"; import "./deep/h.js";`);
    write("lib/deep/h.js", `import "../../app.ts";`);
    write("node_modules/x/index.js", "");
    write("stranger.ts", "");
    const expected = [...others, "app.ts", "lib/c.ts", "lib/deep/h.js"].toSorted();
    assert.deepEqual(filesOf(app), expected);
  });

  it("contains files that do not exist yet, as JavaScript or TypeScript", () => {
    const app = write("app.ts", `import "./later.js";`);
    assert.deepEqual(filesOf(app, false), ["later.js", "later.ts"]);
  });

  it("reports new, removed and changed files, but not those rewritten with the same content", () => {
    const app = write(
      "app.js",
      `import "./a.js"; import "./b.js"; import "./c.js"; import "./d.js";`,
    );
    for (const name of ["a.js", "b.js", "d.js"]) write(name, "1");
    const before = readImportGraph(app);
    write("a.js", "2");
    rmSync(join(root, "b.js"));
    write("c.js", "1");
    write("d.js", "1");
    const changed = changedFiles(before, readImportGraph(app));
    assert.deepEqual(changed.map((file) => relative(root, file)).toSorted(), [
      "a.js",
      "b.js",
      "c.js",
    ]);
  });
});
