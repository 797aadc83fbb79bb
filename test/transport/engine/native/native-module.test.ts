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

import { nativeModule } from "../../../../src/transport/engine/engine.ts";
import {
  openModule,
  type NativeSite,
} from "../../../../src/transport/engine/native/native-module.ts";
import { within } from "../../../support/deadline.ts";
import { startEcho } from "../../../support/engine-echo.ts";
import { noNative } from "../../../support/engine.ts";

const NO_NATIVE = await noNative();

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
  changes: Partial<NativeSite> = {},
): NativeSite & { readonly names: string[] } {
  const packageFolder = mkdtempSync(join(ROOT, "package-"));
  copyFileSync(join(ENGINE_FOLDER, BINARY), join(packageFolder, BINARY));
  writeFileSync(join(packageFolder, "uws_darwin_arm64_127.node"), "");
  const names: string[] = [];
  return {
    title: "uWebSockets.js 20.57.0",
    remedy: "npm ci",
    file: "uWebSockets.js",
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

function refused(site: NativeSite, message: RegExp): void {
  assert.throws(
    () => openModule(site),
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

describe("nativeModule", { skip: NO_NATIVE }, () => {
  it("returns an engine that serves HTTP and WebSocket, the same at each call", async () => {
    assert.equal(nativeModule(), nativeModule());
    const echo = startEcho();
    assert.deepEqual(await askEcho(echo.port), ["hello", "over the wire"]);
    echo.stop();
  });

  it("loads in three worker threads at once", async () => {
    nativeModule();
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

describe("openModule", () => {
  it("uses the package as it is if it loads", () => {
    const site = makeSite(() => ENGINE);

    assert.deepEqual(openModule(site), { module: ENGINE, copyFile: undefined });
    assert.deepEqual(site.names, ["uWebSockets.js"]);
    assert.equal(existsSync(join(site.packageFolder, ".cache")), false);
  });

  it("uses a relabelled copy if GLIBC_2.38 is missing", () => {
    const site = makeSite(loadsOnlyCopies);
    const { module, copyFile } = openModule(site);

    assert.equal(module, ENGINE);
    assert.equal(dirname(copyFile ?? ""), join(site.packageFolder, ".cache"));
    assert.deepEqual(site.names, ["uWebSockets.js", copyFile]);
  });

  it("uses a copy among the temporary files if the package is read-only", () => {
    const site = makeSite(loadsOnlyCopies);
    writeFileSync(join(site.packageFolder, ".cache"), "a file, not a folder");
    const { copyFile } = openModule(site);

    assert.equal(dirname(dirname(copyFile ?? "")), site.temporaryFolder);
  });

  it("uses the known copy at once, and makes it again if it is gone", () => {
    const first = makeSite(loadsOnlyCopies);
    const { copyFile } = openModule(first);
    assert.ok(copyFile !== undefined);
    const known = makeSite(loadsOnlyCopies, { knownCopy: copyFile });
    assert.equal(openModule(known).copyFile, copyFile);
    assert.deepEqual(known.names, [copyFile]);

    rmSync(copyFile);
    const asRequire = (name: string): unknown => {
      if (name === copyFile && !existsSync(name)) throw new Error(`Cannot find module ${name}`);
      return loadsOnlyCopies(name);
    };
    const gone = makeSite(asRequire, { packageFolder: first.packageFolder, knownCopy: copyFile });
    assert.equal(openModule(gone).copyFile, copyFile);
    assert.deepEqual(gone.names, [copyFile, "uWebSockets.js", copyFile]);
  });

  it("makes no copy for any other error, and reports what to do", () => {
    const musl = makeSite(() => {
      throw new Error("Error loading shared library ld-linux-x86-64.so.2");
    });
    const platform = { ...musl.platform, glibcVersion: () => undefined };
    refused(
      { ...musl, platform },
      /^uWebSockets\.js 20\.57\.0 needs glibc, .*\(musl\?\): use an image/,
    );
    assert.deepEqual(readdirSync(musl.packageFolder).includes(".cache"), false);
  });

  it("reports that there is no binary for the Node.js version, the system or the C library", () => {
    const site = makeSite(() => {
      throw new Error("Cannot find module");
    });
    const here = site.platform;
    const newer = { ...here, modules: "999", nodeVersion: "v99.0.0" };
    refused(
      { ...site, platform: newer },
      /^uWebSockets\.js 20\.57\.0 has no binary for Node\.js v99\.0\.0 on linux x64: use Node\.js 20$/,
    );
    const official = { ...here, modules: "147", nodeVersion: "v26.0.0" };
    refused({ ...site, platform: official }, /: use Node\.js 20, or: npm install uNetworking\/uW/);
    const windows = { ...here, platform: "win32" };
    refused(
      { ...site, platform: windows },
      /has no binary for win32 x64: run on one of these, .*: darwin arm64 with Node\.js 22; linux x64 with Node\.js 20$/,
    );
    const older = { ...here, glibcVersion: () => "2.9" };
    refused(
      { ...site, platform: older },
      /needs glibc 2\.36, and this system has 2\.9: use a newer/,
    );
  });

  it("reports that the package is not installed, or why it does not load", () => {
    const site = makeSite(() => {
      throw new Error("Cannot find module\nRequire stack:\n- engine.js");
    });
    refused({ ...site, packageFolder: join(ROOT, "none") }, /is not installed: npm ci$/);
    const loader = /^uWebSockets\.js 20\.57\.0 could not be loaded \(Cannot find module\): npm ci$/;
    refused(site, loader);
    const packageFolder = mkdtempSync(join(ROOT, "empty-"));
    writeFileSync(join(packageFolder, "index.js"), "");
    refused({ ...site, packageFolder }, loader);
    for (const [thrown, line] of [
      ["a text", "a text"],
      [undefined, "undefined"],
      ["x".repeat(1_000), `${"x".repeat(300)}…`],
    ] as const) {
      const odd = makeSite(() => {
        throw thrown;
      });
      assert.throws(() => openModule(odd), {
        message: `uWebSockets.js 20.57.0 could not be loaded (${line}): npm ci`,
      });
    }
  });

  it("reports what the system says, and what to do about it, instead of the error of the package", () => {
    const own = "This version of uWS.js (v20.57.0) supports only Node.js versions 20 and 22.\n\n";
    for (const [said, advice] of [
      ["Cannot load native addon because loading addons is disabled.", "let Node\\.js load addons"],
      ["/a.node: failed to map segment from shared object", "mount .* without noexec"],
      ["/a.node: file too short", "npm ci$"],
    ] as const) {
      const site = makeSite(() => {
        throw new Error(`${own}Error: ${said}`);
      });
      const problem = `^uWebSockets\\.js 20\\.57\\.0 could not be loaded \\(${said}\\): `;
      refused(site, new RegExp(problem + advice));
    }
  });

  it("reports that the copy does not load either, and where it may", () => {
    const site = makeSite((name) => {
      throw new Error(name === "uWebSockets.js" ? OLD_GLIBC : "failed to map segment");
    });
    refused(site, /from its copy \(failed to map segment\): .*noexec, set TMPDIR/);
  });

  it("reports that no copy can be made", () => {
    const site = makeSite(loadsOnlyCopies);
    writeFileSync(join(site.packageFolder, ".cache"), "a file, not a folder");
    const temporaryFolder = join(ROOT, "nowhere");
    refused(
      { ...site, temporaryFolder },
      /needs a copy of its binary .*must be writable, .*TMPDIR/,
    );
  });
});
