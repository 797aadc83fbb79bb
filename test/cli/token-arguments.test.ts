import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { parseTokenArguments } from "../../src/cli/token-arguments.ts";

function refuses(message: string, args: readonly string[]): void {
  assert.throws(() => parseTokenArguments(args), { code: "SIM_ERR_OPTION_INVALID", message });
}

function aged(age: string): unknown {
  return parseTokenArguments(salted("verify", `--max-age-ms=${age}`)).options["maxAgeMs"];
}

function salted(action: string, flag: string): string[] {
  return [action, "--salt", "x", flag];
}

describe("the arguments of simurgh token", () => {
  it("are an action, its subject, and options", () => {
    const derivation = ["--key-iterations", "2", "--key-length=16", "--key-digest", "sha384"];
    const age = ["--max-age-ms", "0.5", "--signed-at-ms", "1700000000000"];
    assert.deepEqual(
      parseTokenArguments(["sign", "[1]", "--salt=", "--secret-file", "s", ...age, ...derivation]),
      {
        action: "sign",
        subject: "[1]",
        salt: "",
        secretFile: "s",
        options: {
          maxAgeMs: 0.5,
          signedAtMs: 1_700_000_000_000,
          keyDigest: "sha384",
          keyIterations: 2,
          keyLength: 16,
        },
      },
    );
  });

  it("may leave the subject to standard input", () => {
    for (const args of [["verify"], ["verify", "-"]]) {
      const { subject } = parseTokenArguments([...args, "--salt", "x"]);
      assert.equal(subject, undefined);
    }
    assert.equal(parseTokenArguments(["sign", "--salt", "x", "--", "-5"]).subject, "-5");
  });

  it("may contain an age of infinity, or a negative one", () => {
    assert.equal(aged("infinity"), Infinity);
    assert.equal(aged("-1"), -1);
  });

  it("are refused if there are too few or too many", () => {
    const actions = "token action must be one of sign, encrypt, verify, decrypt, got";
    refuses(`${actions} none`, ["--salt", "x"]);
    refuses(`${actions} forge`, ["forge"]);
    refuses("sign must be given one argument, got 1 2", ["sign", "--salt", "x", "1", "2"]);
    refuses("--salt must be given (the purpose of the token), got none", ["sign", "1"]);
    refuses("--salt must be followed by a value, got none", ["sign", "--salt"]);
  });

  it("are refused if an option is unknown, or its value is not a number", () => {
    const unknown = "option must be listed by `simurgh token --help`, got";
    for (const flag of ["--port", "-x"]) {
      refuses(`${unknown} ${flag}`, ["sign", flag, "1", "--salt", "x"]);
    }
    for (const [flag, nearest] of [
      ["--secret", "--secret-file"],
      ["--max-age", "--max-age-ms"],
      ["--sallt", "--salt"],
    ] as const) {
      refuses(`${unknown} ${flag}; did you mean ${nearest}?`, ["sign", flag, "1", "--salt", "x"]);
    }
    const own = "must be given options for reading a token, got --signed-at-ms";
    refuses(`verify ${own}`, salted("verify", "--signed-at-ms=1"));
    refuses(`decrypt ${own}`, salted("decrypt", "--signed-at-ms=1"));
    refuses(
      '--max-age-ms must be a number or infinity, got "1d"',
      salted("sign", "--max-age-ms=1d"),
    );
    refuses('--signed-at-ms must be a number, got ""', salted("sign", "--signed-at-ms="));
    refuses('--key-length must be a number, got "0x20"', salted("sign", "--key-length=0x20"));
  });
});
