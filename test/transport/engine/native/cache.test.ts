import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  fstatSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { relabelElf } from "../../../../src/transport/engine/native/elf-relabel.ts";
import { relabelledCopy } from "../../../../src/transport/engine/native/cache.ts";
import type { CacheFolders } from "../../../../src/transport/engine/native/cache.ts";
import { within } from "../../../support/deadline.ts";

const BINARY = "uws_linux_x64_115.node";
const ENGINE_FOLDER = dirname(createRequire(import.meta.url).resolve("uWebSockets.js"));
const WANTED = relabelElf(readFileSync(join(ENGINE_FOLDER, BINARY)));
const OWN_FOLDER = `simurgh-engine-${process.getuid?.() ?? 0}`;
const ROOT = mkdtempSync(join(tmpdir(), "simurgh-test-"));
after(() => {
  rmSync(ROOT, { recursive: true });
});

interface World {
  readonly source: string;
  readonly folders: CacheFolders;
}

/** A package folder with one binary, and a temporary folder. */
function makeWorld(): World {
  const root = mkdtempSync(join(ROOT, "world-"));
  const folders = { package: join(root, "package"), temporary: join(root, "temporary") };
  mkdirSync(folders.package);
  mkdirSync(folders.temporary);
  const source = join(folders.package, BINARY);
  copyFileSync(join(ENGINE_FOLDER, BINARY), source);
  return { source, folders };
}

/** Like `makeWorld`, but not even root can create a cache in the package folder. */
function makeReadOnlyWorld(): World {
  const world = makeWorld();
  writeFileSync(join(world.folders.package, ".cache"), "a file, not a folder");
  return world;
}

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

function refusedFolder({ source, folders }: World, got: RegExp): void {
  assert.throws(
    () => relabelledCopy(source, folders),
    (error: unknown) => {
      assert.ok(error instanceof Error && "code" in error);
      assert.equal(error.code, "SIM_ERR_ENGINE_UNAVAILABLE");
      assert.match(error.message, got);
      assert.ok(error.cause instanceof AggregateError);
      assert.equal(error.cause.errors.length, 2);
      return true;
    },
  );
}

/** Starts a process that makes a copy when it is told to. */
function startMaker({ source, folders }: World): {
  readonly ready: Promise<unknown>;
  readonly begin: () => void;
  readonly made: Promise<string>;
} {
  const script = fileURLToPath(new URL("./cache.process.js", import.meta.url));
  const child = spawn(process.execPath, [script, source, folders.package, folders.temporary], {
    stdio: ["pipe", "pipe", "inherit"],
    timeout: 20_000,
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    ready: once(child.stdout, "readable"),
    begin: () => void child.stdin.end(),
    made: (async () => {
      await lines.next();
      const { value } = (await lines.next()) as IteratorResult<string, undefined>;
      return value ?? "nothing";
    })(),
  };
}

describe("relabelledCopy", () => {
  it("keeps a copy in the package's cache folder, which other users can read", () => {
    const { source, folders } = makeWorld();
    const copy = relabelledCopy(source, folders);

    assert.equal(dirname(copy), join(folders.package, ".cache"));
    assert.match(basename(copy), /^uws_linux_x64_115-[0-9a-f]{32}\.node$/);
    assert.equal(modeOf(dirname(copy)), "755");
    assert.equal(modeOf(copy), "644");
    assert.ok(readFileSync(copy).equals(WANTED));
    assert.deepEqual(readdirSync(dirname(copy)), [basename(copy)]);
    assert.deepEqual(readdirSync(folders.temporary), []);
  });

  it("leaves a correct copy as it is", () => {
    const { source, folders } = makeWorld();
    const before = statSync(relabelledCopy(source, folders));
    const again = statSync(relabelledCopy(source, folders));

    assert.equal(again.ino, before.ino);
    assert.equal(again.mtimeMs, before.mtimeMs);
  });

  it("replaces a damaged copy, and leaves the old file to processes that have it open", () => {
    const { source, folders } = makeWorld();
    const copy = relabelledCopy(source, folders);
    writeFileSync(copy, "damaged");
    const handle = openSync(copy, "r");

    assert.equal(relabelledCopy(source, folders), copy);
    assert.ok(readFileSync(copy).equals(WANTED));
    assert.equal(readFileSync(handle, "utf8"), "damaged");
    assert.notEqual(fstatSync(handle).ino, statSync(copy).ino);
    closeSync(handle);
  });

  it("makes a separate copy of another binary", () => {
    const { source, folders } = makeWorld();
    const first = relabelledCopy(source, folders);
    copyFileSync(join(ENGINE_FOLDER, "uws_linux_arm64_115.node"), source);

    assert.notEqual(relabelledCopy(source, folders), first);
    assert.ok(readFileSync(first).equals(WANTED));
  });

  it("keeps the copy in a private temporary folder if the package is not writable", () => {
    const { source, folders } = makeReadOnlyWorld();
    const copy = relabelledCopy(source, folders);

    assert.equal(dirname(copy), join(folders.temporary, OWN_FOLDER));
    assert.equal(modeOf(dirname(copy)), "700");
    assert.equal(modeOf(copy), "600");
    assert.ok(readFileSync(copy).equals(WANTED));
    assert.equal(relabelledCopy(source, folders), copy);
  });

  it("refuses a temporary folder that others can enter", () => {
    const world = makeReadOnlyWorld();
    const folder = join(world.folders.temporary, OWN_FOLDER);
    mkdirSync(folder);
    chmodSync(folder, 0o750);

    refusedFolder(world, /must be a folder of user \d+ with mode 700, got owner \d+ and mode 750/);
    assert.deepEqual(readdirSync(folder), []);
  });

  it("refuses a link in place of the temporary folder", () => {
    const world = makeReadOnlyWorld();
    const elsewhere = mkdtempSync(join(ROOT, "elsewhere-"));
    symlinkSync(elsewhere, join(world.folders.temporary, OWN_FOLDER));

    refusedFolder(world, /must be a folder of user/);
    assert.deepEqual(readdirSync(elsewhere), []);
  });

  it("reports the problems of both folders", () => {
    const world = makeReadOnlyWorld();
    rmSync(world.folders.temporary, { recursive: true });
    writeFileSync(world.folders.temporary, "a file, not a folder");

    refusedFolder(
      world,
      /must be writable, got .*\.cache.* and .*temporary.*; set TMPDIR to a writable folder/,
    );
  });

  it("leaves one complete copy after four processes made it at once", async () => {
    const { source, folders } = makeWorld();
    const makers = Array.from({ length: 4 }, () => startMaker({ source, folders }));
    await within(Promise.all(makers.map(({ ready }) => ready)), "four processes");
    for (const { begin } of makers) begin();
    const files = await within(Promise.all(makers.map(({ made }) => made)), "four copies");

    const [copy = ""] = files;
    assert.deepEqual(files, [copy, copy, copy, copy]);
    assert.equal(dirname(copy), join(folders.package, ".cache"));
    assert.ok(readFileSync(copy).equals(WANTED));
    assert.deepEqual(readdirSync(dirname(copy)), [basename(copy)]);
  });
});
