import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";

import { WebSocket } from "ws";

import { loadEngine, openEngine } from "../../../src/transport/engine/engine.ts";
import type { EngineSite } from "../../../src/transport/engine/engine.ts";
import { within } from "../../support/deadline.ts";
import { startEcho } from "../../support/engine-echo.ts";

const run = promisify(execFile);
const BINARY = "uws_linux_x64_115.node";
const ENGINE_FOLDER = dirname(createRequire(import.meta.url).resolve("uWebSockets.js"));
const ENGINE = { App: () => assert.fail("only loaded here, never used") };
const OLD_GLIBC = "libc.so.6: version `GLIBC_2.38' not found";
const ROOT = mkdtempSync(join(tmpdir(), "simurgh-test-"));
after(() => {
  rmSync(ROOT, { recursive: true });
});

/** A site on glibc 2.36 with a binary for x64, and the names that are loaded from it. */
function makeSite(
  answer: (name: string) => unknown,
  changes: Partial<EngineSite> = {},
): EngineSite & { readonly names: string[] } {
  const packageFolder = mkdtempSync(join(ROOT, "package-"));
  copyFileSync(join(ENGINE_FOLDER, BINARY), join(packageFolder, BINARY));
  writeFileSync(join(packageFolder, "uws_darwin_arm64_127.node"), "");
  const names: string[] = [];
  return {
    packageFolder,
    temporaryFolder: mkdtempSync(join(ROOT, "temporary-")),
    platform: {
      platform: "linux",
      processor: "x64",
      modules: "115",
      nodeVersion: "v20.20.2",
      glibcVersion: () => "2.36",
    },
    knownCopy: undefined,
    load: (name) => {
      names.push(name);
      return answer(name);
    },
    names,
    ...changes,
  };
}

function loadsOnlyCopies(name: string): unknown {
  if (name === "uWebSockets.js") throw new Error(OLD_GLIBC);
  return ENGINE;
}

function refused(site: EngineSite, message: RegExp): void {
  assert.throws(
    () => openEngine(site),
    (error: unknown) => {
      assert.ok(error instanceof Error && "code" in error);
      assert.equal(error.code, "SIM_ERR_ENGINE_UNAVAILABLE");
      assert.match(error.message, message);
      assert.ok(error.cause instanceof Error);
      return true;
    },
  );
}

/** Sends an HTTP request and a WebSocket message to an echo server. */
async function askEcho(port: number): Promise<readonly [string, string]> {
  const response = await fetch(`http://127.0.0.1:${port}/hello`);
  const hello = await response.text();
  const client = new WebSocket(`ws://127.0.0.1:${port}/echo`);
  await within(once(client, "open"), "an open WebSocket");
  const echoed = once(client, "message");
  client.send("over the wire");
  const [data] = (await within(echoed, "the echo")) as [Buffer];
  client.terminate();
  return [hello, data.toString()];
}

async function headersSeen(...argv: string[]): Promise<unknown> {
  const script = fileURLToPath(new URL("./engine-headers.main.js", import.meta.url));
  const { stdout } = await run(process.execPath, [script, ...argv], { timeout: 20_000 });
  return JSON.parse(stdout);
}

describe("loadEngine", () => {
  it("returns an engine that serves HTTP and WebSocket, the same at each call", async () => {
    assert.equal(loadEngine(), loadEngine());
    const echo = startEcho();
    assert.deepEqual(await askEcho(echo.port), ["hello", "over the wire"]);
    echo.stop();
  });

  it("loads in three worker threads at once", async () => {
    loadEngine();
    const file = new URL("./engine.worker.js", import.meta.url);
    const workers = Array.from({ length: 3 }, () => new Worker(file));
    const ports = await Promise.all(
      workers.map(async (worker) => {
        const [port] = (await within(once(worker, "message"), "a port")) as [number];
        return port;
      }),
    );
    const answers = await Promise.all(ports.map(askEcho));
    for (const answer of answers) assert.deepEqual(answer, ["hello", "over the wire"]);
    await Promise.all(
      workers.map(async (worker) => {
        const exited = once(worker, "exit");
        worker.postMessage("stop");
        assert.deepEqual(await within(exited, "the worker's end"), [0]);
      }),
    );
  });

  it("loads in a worker thread before main", async () => {
    const file = fileURLToPath(new URL("./engine.worker.js", import.meta.url));
    const script = `
      const { Worker } = require("node:worker_threads");
      const worker = new Worker(${JSON.stringify(file)});
      worker.on("message", (port) => { console.log(port > 0); worker.postMessage("stop"); });`;
    const { stdout } = await run(process.execPath, ["--eval", script], { timeout: 20_000 });
    assert.equal(stdout, "true\n");
  });

  it("raises the limit of request headers for the whole process", async () => {
    const second = "maxHeaderBytes must be that of the process's first server";
    assert.deepEqual(await headersSeen(), {
      statuses: [200, 431, 431],
      second: `${second} (unset), got 99`,
      variable: "unset",
    });
    assert.deepEqual(await headersSeen("16384"), {
      statuses: [200, 200, 431],
      second: `${second} (16384), got 99`,
      variable: "unset",
    });
  });
});

describe("openEngine", () => {
  it("uses the package as it is if it loads", () => {
    const site = makeSite(() => ENGINE);

    assert.deepEqual(openEngine(site), { engine: ENGINE, copyFile: undefined });
    assert.deepEqual(site.names, ["uWebSockets.js"]);
    assert.equal(existsSync(join(site.packageFolder, ".cache")), false);
  });

  it("uses a relabelled copy if GLIBC_2.38 is missing", () => {
    const site = makeSite(loadsOnlyCopies);
    const { engine, copyFile } = openEngine(site);

    assert.equal(engine, ENGINE);
    assert.equal(dirname(copyFile ?? ""), join(site.packageFolder, ".cache"));
    assert.deepEqual(site.names, ["uWebSockets.js", copyFile]);
  });

  it("uses a copy among the temporary files if the package is read-only", () => {
    const site = makeSite(loadsOnlyCopies);
    writeFileSync(join(site.packageFolder, ".cache"), "a file, not a folder");
    const { copyFile } = openEngine(site);

    assert.equal(dirname(dirname(copyFile ?? "")), site.temporaryFolder);
  });

  it("uses the known copy at once, and makes it again if it is gone", () => {
    const first = makeSite(loadsOnlyCopies);
    const { copyFile } = openEngine(first);
    assert.ok(copyFile !== undefined);
    const known = makeSite(loadsOnlyCopies, { knownCopy: copyFile });
    assert.equal(openEngine(known).copyFile, copyFile);
    assert.deepEqual(known.names, [copyFile]);

    rmSync(copyFile);
    const asRequire = (name: string): unknown => {
      if (name === copyFile && !existsSync(name)) throw new Error(`Cannot find module ${name}`);
      return loadsOnlyCopies(name);
    };
    const gone = makeSite(asRequire, { packageFolder: first.packageFolder, knownCopy: copyFile });
    assert.equal(openEngine(gone).copyFile, copyFile);
    assert.deepEqual(gone.names, [copyFile, "uWebSockets.js", copyFile]);
  });

  it("makes no copy for any other error, and reports what works", () => {
    const musl = makeSite(() => {
      throw new Error("Error loading shared library ld-linux-x86-64.so.2");
    });
    const platform = { ...musl.platform, glibcVersion: () => undefined };
    refused({ ...musl, platform }, /linux x64 \(glibc 2\.36 or later\) with Node\.js 20/);
    refused({ ...musl, platform }, /got linux x64, Node\.js v20\.20\.2, no glibc \(musl\?\)/);
    refused({ ...musl, platform }, /use an image with glibc.*\(Error: Error loading shared/);
    assert.deepEqual(readdirSync(musl.packageFolder).includes(".cache"), false);
  });

  it("reports that there is no binary for the Node.js version, the system or the C library", () => {
    const site = makeSite(() => {
      throw new Error("Cannot find module");
    });
    const here = site.platform;
    const newer = { ...here, modules: "999", nodeVersion: "v99.0.0" };
    refused({ ...site, platform: newer }, /got linux x64, Node\.js v99.*use one of these Node\.js/);
    const windows = { ...here, platform: "win32" };
    refused({ ...site, platform: windows }, /got win32 x64, Node\.js v20\.20\.2; run on one of/);
    const older = { ...here, glibcVersion: () => "2.9" };
    refused({ ...site, platform: older }, /got linux x64.*glibc 2\.9; use a newer system/);
  });

  it("reports that the package is not installed, or is a different package", () => {
    const site = makeSite(() => ({ notTheEngine: true }));
    refused(site, /see the cause.*\(TypeError: uWebSockets\.js must export App/);
    refused({ ...site, packageFolder: join(ROOT, "none") }, /must be installed.*run npm ci/);
  });

  it("reports that the copy does not load either", () => {
    const site = makeSite((name) => {
      throw new Error(name === "uWebSockets.js" ? OLD_GLIBC : "failed to map segment");
    });
    refused(site, /failed to map segment/);
  });
});
