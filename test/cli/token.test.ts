/**
 * `simurgh token`: tokens signed and read on the command line.
 *
 * Runs on: the test's thread; each command is a process of its own.
 * Slow: each test starts a process.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";

import { Token } from "../../src/token/token.ts";
import { CommandLine, type Outcome } from "../support/command-line.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "simurgh-test-"));
after(() => {
  rmSync(FOLDER, { recursive: true });
});

const SECRET = "a".repeat(64);
const SALT = "user auth";
const SIGN = ["sign", "--salt", SALT];
const VERIFY = ["verify", "--salt", SALT];

/** Runs `simurgh token` with text on its standard input. */
async function token(
  args: readonly string[],
  input = "",
  environment: Readonly<Record<string, string>> = { SIMURGH_SECRET_KEY_BASE: SECRET },
): Promise<Pick<Outcome, "code" | "out" | "err">> {
  await using command = new CommandLine(["token", ...args], environment);
  command.process.stdin?.on("error", () => {}).end(input);
  const { code, out, err } = await command.ended();
  return { code, out, err };
}

async function prints(line: string, args: readonly string[], input?: string): Promise<void> {
  assert.deepEqual(await token(args, input), { code: 0, out: `${line}\n`, err: "" });
}

async function fails(
  code: number,
  line: string,
  args: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<void> {
  const expected = { code, out: "", err: `simurgh: ${line}\n` };
  assert.deepEqual(await token(args, "", environment), expected);
}

describe("simurgh token sign and encrypt", () => {
  it("prints the same token as Phoenix for the same data", async () => {
    const at = ["--signed-at-ms", "1700000000000"];
    await prints(
      "SFMyNTY.g2gDaAJkAAR1c2VyYQVuBgAAaOXPiwFiAAAOEA.ZQKq1klSG_vBztzudnnhiBRbtVCu7TfLlgsZDCr1AWg",
      [...SIGN, ...at, "--max-age-ms=3600000", '{"$tuple":[{"$atom":"user"},5]}'],
    );
    await prints(
      "SFMyNTY.g2gDYQFuBgAAaOXPiwFkAAhpbmZpbml0eQ.vEPxjvuPQAvnZXbCb_lSKd3oAvJBxg8xFGdmm17scEA",
      [...SIGN, ...at, "--max-age-ms", "infinity"],
      "1\n",
    );
    await prints(
      "SFMyNTY.g2gDYQFuBgAAaOXPiwFiAAFRgA.tNtYqQaE1g8bvCtNKV0rWwo5EAIcEjXPiTvg0m0vD2Y",
      [...SIGN, ...at, "--key-digest", "sha512", "-"],
      "1",
    );
  });

  it("encrypts data from standard input", async () => {
    const { code, out } = await token(["encrypt", "--salt", SALT], '{"id":7}');
    assert.equal(code, 0);
    assert.deepEqual(Token.decrypt(SECRET, SALT, out.trimEnd()), { ok: true, data: { id: 7 } });
  });
});

describe("simurgh token verify and decrypt", () => {
  it("prints the data, from an argument or from standard input", async () => {
    const data = { id: 7, role: Token.atom("admin") };
    const shown = '{"id":7,"role":{"$atom":"admin"}}';
    await prints(shown, [...VERIFY, Token.sign(SECRET, SALT, data)]);
    await prints(shown, VERIFY, `${Token.sign(SECRET, SALT, data)}\n`);
    await prints(shown, ["decrypt", "--salt", SALT], Token.encrypt(SECRET, SALT, data));
  });

  it("prints why a token is not valid, and exits with 1", async () => {
    await fails(1, "the token is invalid", [...VERIFY, "x"]);
    const old = Token.sign(SECRET, SALT, 1, { signedAtMs: 1_700_000_000_000 });
    await fails(1, "the token is expired", [...VERIFY, old]);
    await fails(1, "the token is invalid", ["verify", "--salt", "other", old]);
    await prints("1", [...VERIFY, "--max-age-ms", "infinity", old]);
  });
});

describe("simurgh token", () => {
  it("reads the secret from a file, which takes precedence over the environment", async () => {
    const file = join(FOLDER, "secret");
    writeFileSync(file, `${"f".repeat(64)}\n`);
    const { out } = await token([...SIGN, "--secret-file", file, "7"]);
    const read = Token.verify("f".repeat(64), SALT, out.trimEnd());
    assert.deepEqual(read, { ok: true, data: 7 });
  });

  it("requires a secret, and never shows one", async () => {
    const none = { SIMURGH_SECRET_KEY_BASE: "" };
    const variable = "SIMURGH_SECRET_KEY_BASE must";
    await fails(
      2,
      `${variable} contain the secret (or use --secret-file), got none`,
      [...SIGN, "1"],
      none,
    );
    const short = { SIMURGH_SECRET_KEY_BASE: "hunter2" };
    const rule =
      "be a string of at least 20 (bytes), got 7; to make one: node -p 'crypto.randomUUID() + crypto.randomUUID()'";
    await fails(2, `${variable} ${rule}`, [...SIGN, "1"], short);
    const file = join(FOLDER, "short");
    writeFileSync(file, "hunter2");
    await fails(2, `secret in ${file} must ${rule}`, [...SIGN, "--secret-file", file, "1"]);
    const gone = join(FOLDER, "none");
    const message = `--secret-file must be a readable file, got ENOENT for ${gone}`;
    await fails(2, message, [...SIGN, "--secret-file", gone, "1"]);
  });

  it("exits with 2 for wrong arguments", async () => {
    await fails(2, "token action must be one of sign, encrypt, verify, decrypt, got none", []);
    const iterations = "--key-iterations must be an integer from 1 to 10000000 (rounds), got 0";
    await fails(2, iterations, [...SIGN, "--key-iterations", "0", "1"]);
  });

  it("exits with 2 for malformed data, and with 1 for data that cannot be a term", async () => {
    await fails(2, "data must be JSON, got {id:7}", [...SIGN, "{id:7}"]);
    const forms = "in data must have a form that `simurgh token --help` shows, got";
    await fails(2, `$atom ${forms} 5`, [...SIGN, '{"$atom":5}']);
    await fails(1, "data must have finite numbers only, got Infinity", [...SIGN, "1e999"]);
  });
});
