import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { pathToFileURL } from "node:url";

import {
  chooseEngine,
  loadEngine,
  type ChosenEngine,
} from "../../../src/transport/engine/engine.ts";
import { currentPlatform, replacementFor } from "../../../src/transport/engine/native/platform.ts";
import { APP_OPTIONS } from "../../support/engine.ts";

const OURS = createRequire(import.meta.url).resolve("uWebSockets.js");
const ROOT = mkdtempSync(join(tmpdir(), "simurgh-test-"));
after(() => {
  rmSync(ROOT, { recursive: true });
});

/** Makes an app whose folder has a package `uWebSockets.js`, and returns the URL of its module. */
function appWith(code: string, name = "uWebSockets.js"): string {
  const folder = mkdtempSync(join(ROOT, "app-"));
  const installed = join(folder, "node_modules", "uWebSockets.js");
  mkdirSync(installed, { recursive: true });
  writeFileSync(join(installed, "package.json"), JSON.stringify({ name, version: "20.99.0" }));
  writeFileSync(join(installed, "index.js"), code);
  return pathToFileURL(join(folder, "app.js")).href;
}

async function chosen(engine: string, ...from: string[]): Promise<ChosenEngine> {
  return chooseEngine({ engine, from, ...APP_OPTIONS });
}

/** The native engine that comes with Simurgh; undefined if it cannot be loaded here. */
const ours = await chosen("native").then(
  ({ choice }) => (choice.kind === "native" ? choice : undefined),
  () => undefined,
);
/** The file that it was loaded from. */
const LOADED = JSON.stringify(ours?.copyFile ?? OURS);
const NEEDS_NATIVE = ours ? false : "the native engine has no binary for this Node.js or system";
const AS_OURS = `module.exports = require(${LOADED});`;
const BROKEN = 'throw new Error("no such binary");';
const REPLACEMENT = replacementFor(currentPlatform());
const OLD = `module.exports = { ...require(${LOADED}), us_socket_local_port: undefined };`;

describe("the engine", { skip: NEEDS_NATIVE }, () => {
  for (const asked of ["auto", "native"]) {
    it(`is the one that comes with Simurgh if the app has none: ${asked}`, async () => {
      const { engine, choice, passedOver } = await chosen(asked, "/nowhere/");
      assert.equal(engine.kind, "native");
      assert.equal(engine.version, "20.57.0");
      assert.deepEqual(passedOver, []);
      assert.ok(choice.kind === "native");
      assert.equal(choice.package.file, OURS);
    });

    it(`is the one that the app has installed itself: ${asked}`, async () => {
      const { engine, choice, passedOver } = await chosen(asked, appWith(AS_OURS));
      assert.equal(engine.version, "20.99.0");
      assert.deepEqual(passedOver, []);
      // What a shard does.
      assert.equal((await loadEngine(choice)).version, "20.99.0");
    });

    it(`is not an alias of Simurgh's that the app finds: ${asked}`, async () => {
      const app = appWith(BROKEN, "@btc-vision/uwebsockets.js");
      const { engine, passedOver } = await chosen(asked, app);
      assert.equal(engine.version, "20.57.0");
      assert.deepEqual(passedOver, []);
    });

    it(`is the next one if the app's cannot be loaded, or lacks a call: ${asked}`, async () => {
      const broken = await chosen(asked, appWith(BROKEN));
      assert.equal(broken.engine.version, "20.57.0");
      assert.deepEqual(broken.passedOver, [
        {
          engine: "uWebSockets.js 20.99.0 of the app",
          reason: "could not be loaded (no such binary)",
          advice: REPLACEMENT,
        },
      ]);
      const old = await chosen(asked, appWith(OLD));
      assert.equal(old.engine.version, "20.57.0");
      assert.match(
        old.passedOver[0]?.reason ?? "",
        /^lacks us_socket_local_port \(the oldest version that works is 20\.57\.0, and it is 20\.99\.0\)/,
      );
    });
  }

  it("is the next one if it is not clear what to load of the app's", async () => {
    for (const manifest of ['{ "name": "uWebSockets.js", "main": "none.js" }', "{"]) {
      const app = appWith(AS_OURS);
      const folder = join(dirname(new URL(app).pathname), "node_modules", "uWebSockets.js");
      writeFileSync(join(folder, "package.json"), manifest);
      rmSync(join(folder, "index.js"));
      const { engine, passedOver } = await chosen("auto", app);
      assert.equal(engine.version, "20.57.0");
      assert.equal(passedOver[0]?.engine, "uWebSockets.js of the app");
      assert.match(passedOver[0]?.reason ?? "", /^is broken \(.*package\.json/);
      await assert.rejects(chosen("uWebSockets.js", app), {
        code: "SIM_ERR_ENGINE_UNAVAILABLE",
        message: /^uWebSockets\.js is broken \(.*correct it, or set engine/,
      });
    }
  });

  it("is the next one if the app's throws something that is no error, or cannot be shown", async () => {
    for (const [code, reason] of [
      ["throw undefined;", "could not be loaded (undefined)"],
      [
        "throw { toString() { throw 1; } };",
        "could not be loaded ({ toString: [Function: toString] })",
      ],
      ["throw Object.create(null);", "could not be loaded ([Object: null prototype] {})"],
    ] as const) {
      const { engine, passedOver } = await chosen("auto", appWith(code));
      assert.equal(engine.version, "20.57.0");
      assert.equal(passedOver[0]?.reason, reason);
    }
  });

  it("is looked for by the app's module first, then in the working directory", async () => {
    const { engine } = await chosen("auto", "/nowhere/app.js", appWith(AS_OURS));
    assert.equal(engine.version, "20.99.0");
  });

  it("is found through a link, as pnpm makes them", async () => {
    const app = appWith(AS_OURS);
    const folder = mkdtempSync(join(ROOT, "linked-"));
    symlinkSync(join(dirname(new URL(app).pathname), "node_modules"), join(folder, "node_modules"));
    const { engine } = await chosen("auto", `${folder}/`);
    assert.equal(engine.version, "20.99.0");
  });

  it("is a package or file with the API of uWebSockets.js, by name or path", async () => {
    const app = appWith(AS_OURS);
    const file = join(dirname(new URL(app).pathname), "engine.cjs");
    writeFileSync(file, AS_OURS);
    writeFileSync(join(dirname(file), "package.json"), '{ "name": "app", "version": "1.0.0" }');
    for (const named of ["uWebSockets.js", "./engine.cjs", file]) {
      const { engine, choice } = await chosen(named, app);
      assert.equal(engine.kind, "native");
      assert.ok(choice.kind === "native");
      assert.notEqual(choice.package.file, OURS);
      const ofFile = ["engine.cjs", ""];
      const expected = named === "uWebSockets.js" ? ["uWebSockets.js", "20.99.0"] : ofFile;
      assert.deepEqual([engine.name, engine.version], expected);
    }
  });

  it("is refused if it was asked for by name, and cannot be used", async () => {
    const code = "SIM_ERR_ENGINE_UNAVAILABLE";
    await assert.rejects(chosen("./none.js"), {
      code,
      message: /can be found.*, got "\.\/none\.js"/,
    });
    await assert.rejects(chosen("ws", import.meta.url), {
      code,
      message: /^ws \d\S+ lacks App, SSLApp, us_listen.*: correct it, or set engine/,
    });
    const broken = appWith(BROKEN);
    await assert.rejects(chosen("uWebSockets.js", broken), { code, message: /no such binary/ });
  });

  it("cannot have another header limit than the first one of the process", async () => {
    await chosen("native");
    await assert.rejects(chooseEngine({ engine: "auto", from: [], maxHeaderBytes: 9_999 }), {
      code: "SIM_ERR_OPTION_INVALID",
      message: "maxHeaderBytes must be that of the process's first server (16384), got 9999",
    });
  });
});

describe("the engine where no native one can be loaded", () => {
  it(
    "is the portable one, with the reasons and what to do",
    { skip: ours !== undefined && "one can" },
    async () => {
      const { engine, choice, passedOver } = await chosen("auto");
      assert.deepEqual([engine.kind, choice], ["portable", { kind: "portable" }]);
      assert.equal((await loadEngine(choice)).kind, "portable");
      assert.deepEqual(
        passedOver.map(({ engine: name }) => name),
        ["uWebSockets.js 20.57.0"],
      );
      await assert.rejects(chosen("native"), { code: "SIM_ERR_ENGINE_UNAVAILABLE" });
    },
  );
});
