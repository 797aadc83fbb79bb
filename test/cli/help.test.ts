import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

import { OPTIONS } from "../../src/options/options.ts";
import { EXIT } from "../../src/server/process-end.ts";
import { CommandLine } from "../support/command-line.ts";

const PACKAGE_FILE = new URL("../../../package.json", import.meta.url);

const OPTION_COUNT = Object.keys(OPTIONS).length;
const SECRETS = ["SIMURGH_SECRET_KEY_BASE", "SIMURGH_CLUSTER_URL"];
const USUAL = [
  ["--port", "4000"],
  ["--shards", "auto"],
  ["--max-connections-per-address", "0"],
] as const;

async function helpOf(...args: string[]): Promise<string> {
  await using command = new CommandLine(args);
  const { code, out, err } = await command.ended();
  assert.deepEqual({ code, err }, { code: 0, err: "" });
  return out;
}

function assertFits(text: string, rows: number, width = 80): void {
  const lines = text.trimEnd().split("\n");
  assert.ok(lines.length < rows, `${lines.length} lines and the prompt`);
  for (const line of lines) assert.ok(line.length <= width, `${line.length} columns: ${line}`);
}

describe("the help of simurgh", () => {
  it("fits on a screen, and lists all commands", async () => {
    const help = await helpOf("--help");
    assertFits(help, 24);
    const commands = [...help.matchAll(/^ {2}simurgh (\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(commands, ["serve", "demo", "doctor", "token", "postgres"]);
  });

  it("is printed by simurgh without a command", async () => {
    assert.equal(await helpOf(), await helpOf("-h"));
  });

  it("of doctor has the options and exit codes of a command that serves nothing", async () => {
    const help = await helpOf("doctor", "--help");
    assertFits(help, 24, 100);
    assert.match(help, /^ {2}--engine <name> +auto +\w/m);
    for (const secret of SECRETS) assert.doesNotMatch(help, new RegExp(secret));
    const codes = [...help.matchAll(/^ {2}(\d+) +\w/gm)].map(([, code]) => Number(code));
    assert.deepEqual(codes, [0, 1, 2]);
    assert.match(await helpOf("doctor", "--help-all"), /--tls-cert/);
  });

  it("of a command has the usual options, the secrets and the exit codes on one screen", async () => {
    for (const command of ["serve", "demo"]) {
      const help = await helpOf(command, "--help");
      assertFits(help, 40, 100);
      assert.equal(await helpOf(command, "-h"), help);
      for (const [flag, value] of USUAL) {
        assert.match(help, new RegExp(`^  ${flag} (<\\w+>)? +${value} +\\w`, "m"), flag);
      }
      for (const secret of SECRETS) assert.match(help, new RegExp(`^  ${secret} +\\w`, "m"));
      const codes = [...help.matchAll(/^ {2}(\d+) +\w/gm)].map(([, code]) => Number(code));
      assert.deepEqual(codes, [0, 1, 2, ...Object.values(EXIT)]);
    }
    assert.match(await helpOf("serve", "--help"), /^ {2}--watch +off +\w/m);
    assert.doesNotMatch(await helpOf("demo", "--help"), /--watch/);
  });

  it("shows the defaults of the command, where they are not those of a server", async () => {
    assert.match(await helpOf("serve", "--help"), /^ {2}--log-level <level> +info /m);
    assert.match(await helpOf("demo", "--help"), /^ {2}--log-level <level> +warn /m);
    assert.match(await helpOf("demo", "--help-all"), /^ {2}--log-level <level> +warn /m);
  });

  it("of a command has all options with --help-all, in columns", async () => {
    for (const command of ["serve", "demo"]) {
      const help = await helpOf(command, "--help-all");
      assertFits(help, OPTION_COUNT + 10, 100);
      const variables = [...help.matchAll(/SIMURGH_\w+/g)];
      const names = variables.map(([variable]) => variable);
      const expected = Object.values(OPTIONS).map(({ env }) => env as string);
      assert.deepEqual(names.toSorted(), expected.toSorted());
      const columns = help
        .split("\n")
        .filter((line) => line.includes("SIMURGH_"))
        .map((line) => line.indexOf("SIMURGH_"));
      assert.equal(new Set(columns).size, 1, "the variables are aligned");
    }
  });

  it("says of each option what its value is", async () => {
    const help = await helpOf("serve", "--help-all");
    const levels = [...help.matchAll(/(--[\w-]+) <level>/g)].map(([, flag]) => flag);
    assert.deepEqual(levels, ["--log-level"]);
    assert.match(help, /--history-file <path> +none /);
  });

  it("of token fits on a screen, and has no flag for the secret itself", async () => {
    const help = await helpOf("token", "--help");
    assertFits(help, 24);
    const flags = [...help.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, flag]) => flag);
    const derivation = ["--key-digest", "--key-iterations", "--key-length"];
    const expected = ["--salt", "--secret-file", "--max-age-ms", "--signed-at-ms", ...derivation];
    assert.deepEqual(flags, expected);
    assert.equal(await helpOf("token", "sign", "-h"), help);
  });

  it("contains the version of the package", async () => {
    const { version } = JSON.parse(readFileSync(PACKAGE_FILE, "utf8")) as { version: string };
    assert.equal(await helpOf("--version"), `${version}\n`);
  });
});
