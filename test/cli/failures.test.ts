/**
 * Commands of `simurgh` that fail: their messages and exit codes.
 *
 * Runs on: the test's thread; each command is a process of its own.
 * Slow: each test starts a process.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";

import { CommandLine, type Outcome } from "../support/command-line.ts";
import { noTurns } from "../support/dealing.ts";

/** The portable engine knows why a port cannot be had. */
const CAUSE = noTurns === false ? "" : "  cause: listen EADDRINUSE: .*\n";
const FOLDER = mkdtempSync(join(tmpdir(), "simurgh-test-"));
after(() => {
  rmSync(FOLDER, { recursive: true });
});

async function run(
  args: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<Outcome> {
  await using command = new CommandLine(args, { SIMURGH_LOG_LEVEL: "error", ...environment });
  return await command.ended();
}

/** Expects exit code 2 and one line of output. */
async function refuses(
  line: string,
  args: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<void> {
  const { code, out, err } = await run(args, environment);
  assert.deepEqual({ code, out, err }, { code: 2, out: "", err: `simurgh: ${line}\n` });
}

describe("simurgh with wrong arguments exits with 2 and one line", () => {
  const RANGE = "must be an integer from 0 to 65535 (port), got";

  it("that names a wrong variable, its range and its value", async () => {
    await refuses(`SIMURGH_PORT ${RANGE} "70_000x"`, ["demo"], { SIMURGH_PORT: "70_000x" });
    await refuses(`SIMURGH_PORT ${RANGE} 70000`, ["demo"], { SIMURGH_PORT: "70000" });
  });

  it("that names a wrong flag, which takes precedence over its variable", async () => {
    await refuses(`--port ${RANGE} 65536`, ["demo", "--port", "65536"], { SIMURGH_PORT: "1" });
    await refuses(`--port ${RANGE} "-1"`, ["demo", "--port", "-1"]);
    await refuses('--log-level must be one of debug, info, warn, error, silent, got "loud"', [
      "serve",
      "app.js",
      "--log-level=loud",
    ]);
  });

  it("that names a wrong variable next to a correct flag", async () => {
    const shards = "must be an integer from 1 to 64 (shards), got 0";
    await refuses(`SIMURGH_SHARDS ${shards}`, ["demo", "--port", "0"], { SIMURGH_SHARDS: "0" });
  });

  it("that names the variable nearest to a misspelt one", async () => {
    const rule =
      "environment variables that start with SIMURGH_ must be options (see `simurgh serve --help-all`)";
    const hint = "SIMURGH_SHARD (did you mean SIMURGH_SHARDS?)";
    const environment = { SIMURGH_SHARD: "4" };
    await refuses(`${rule}, got ${hint}`, ["demo", "--port", "0"], environment);
    await refuses(`${rule}, got ${hint}`, ["token", "sign", "--salt", "x", "1"], environment);
  });

  it("that explains SIMURGH_PORT if Kubernetes has set it", async () => {
    const environment = { SIMURGH_PORT: "tcp://10.0.0.11:4000" };
    const { code, err } = await run(["demo"], environment);
    assert.equal(code, 2);
    assert.match(
      err,
      /^simurgh: SIMURGH_PORT must be a port, got tcp:\/\/10\.0\.0\.11:4000, which Kubernetes .* set SIMURGH_PORT explicitly/,
    );
  });

  it("that never shows a secret, and says how to make one", async () => {
    const advice = "to make one: node -p 'crypto.randomUUID() + crypto.randomUUID()'";
    const secret = `must be a string of 64 to 4096 (bytes), got 6; ${advice}`;
    const environment = { SIMURGH_SECRET_KEY_BASE: "hunter" };
    await refuses(`SIMURGH_SECRET_KEY_BASE ${secret}`, ["demo"], environment);
  });

  it("for an unknown flag, or one without a value", async () => {
    const unknown = "option must be listed by `simurgh demo --help-all`, got";
    await refuses(`${unknown} --prot; did you mean --port?`, ["demo", "--prot", "1"]);
    await refuses(`${unknown} --watch`, ["demo", "--watch"]);
    const secret = "; a secret has no flag, set SIMURGH_SECRET_KEY_BASE";
    await refuses(`${unknown} --secret-key-base${secret}`, ["demo", "--secret-key-base", "x"]);
    await refuses("--port must be followed by a value, got none", ["demo", "--port"]);
  });

  it("for an unknown command, and for wrong arguments", async () => {
    const command =
      "command must be one of serve, demo, doctor, token, postgres (see simurgh --help), got";
    await refuses(`${command} sevre; did you mean serve?`, ["sevre", "app.js"]);
    await refuses(`${command} bench`, ["bench"]);
    await refuses("serve must be given one app module, got none", ["serve"]);
    await refuses("serve must be given one app module, got a.js b.js", ["serve", "a.js", "b.js"]);
    await refuses("demo must be given options only, got app.js", ["demo", "app.js"]);
  });
});

function written(name: string, source: string): string {
  const file = join(FOLDER, name);
  writeFileSync(file, source);
  return file;
}

async function fails(
  args: readonly string[],
  expected: RegExp,
  environment = { SIMURGH_PORT: "0", SIMURGH_SHARDS: "1" },
): Promise<void> {
  const { code, out, err } = await run(args, environment);
  assert.deepEqual({ code, out }, { code: 1, out: "" }, err);
  assert.match(err, expected);
}

describe("simurgh exits with 1 if it cannot start", () => {
  it("and prints where it has looked for a missing app module", async () => {
    const file = join(FOLDER, "none.js");
    await fails(
      ["serve", file],
      new RegExp(`^simurgh: app module must be a file, got none at ${file}\n$`),
    );
  });

  it("and prints what the app module threw", async () => {
    const file = written("throws.mjs", 'throw new Error("no database");');
    await fails(["serve", file], /^simurgh: app module must load .*no database.*\n$/);
  });

  it("and prints that the app module is not an endpoint", async () => {
    const file = written("no-endpoint.mjs", "export default 1;");
    await fails(["serve", file], /^simurgh: default export .* defineEndpoint, got number in .*\n$/);
  });

  it("and prints that the port is taken", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as AddressInfo;
    try {
      await fails(
        ["demo", "--host", "127.0.0.1", "--port", String(port)],
        new RegExp(`^simurgh: host and port must be free .* got 127.0.0.1:${port}, .*\n${CAUSE}$`),
      );
    } finally {
      holder.close();
    }
  });
});
