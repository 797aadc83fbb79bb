/**
 * `simurgh token`: makes and reads tokens of Phoenix.Token, for looking at what clients send.
 *
 * Runs on: main.
 */

import { text } from "node:stream/consumers";

import { invalidOption } from "../definition-checks.ts";
import { checkVariables } from "../options/variables.ts";
import type { TokenResult } from "../token/payload.ts";
import type { Term } from "../token/terms.ts";
import { Token } from "../token/token.ts";
import type { Command } from "./command.ts";
import { EXIT_FAILED } from "./failure.ts";
import { jsonOfTerm, termOfJson } from "./term-json.ts";
import { namedAsTyped, parseTokenArguments, secretOf } from "./token-arguments.ts";

const HELP = `simurgh token <action> [options] [data or token]: makes and reads tokens

  sign       prints a token of data (JSON) that nobody can change
  encrypt    prints one that nobody can read either
  verify     prints the data of a signed token
  decrypt    prints the data of an encrypted one

Data and tokens come from standard input where no argument has them. The secret
comes from SIMURGH_SECRET_KEY_BASE: it is the secret_key_base of your Phoenix.
JSON has no form for {"$atom":"user"} {"$tuple":[1,2]} {"$bytes":"AA=="}
{"$bigint":"9"} {"$map":[[1,2]]} {"$list":[[1],2]} {"$bitstring":["gA==",1]}.

Options
  --salt <text>          what the token is for, as in "user auth"; must be given
  --secret-file <file>   a file that has the secret, and nothing else
  --max-age-ms <ms>      or infinity; a day, and to read it what the token says
  --signed-at-ms <ms>    since 1970, to make one; now
  --key-digest <name>    sha256, sha384 or sha512; sha256
  --key-iterations <n>   1000
  --key-length <bytes>   32
`;

/** The command `token`. */
export const tokenCommand: Command = {
  name: "token",
  usage: "<action> [options]",
  about: "makes and reads Phoenix tokens",
  details: [],
  help: HELP,

  async run(args) {
    const { action, subject, salt, secretFile, options } = parseTokenArguments(args);
    checkVariables(process.env);
    const secret = secretOf(secretFile, process.env);
    const input = subject ?? (await text(process.stdin));
    try {
      if (action === "sign" || action === "encrypt") {
        print(Token[action](secret, salt, dataOf(input), options));
      } else {
        show(Token[action](secret, salt, input.trim(), options));
      }
    } catch (error) {
      throw namedAsTyped(error, secretFile);
    }
  },
};

function dataOf(input: string): Term {
  let json: unknown;
  try {
    json = JSON.parse(input);
  } catch {
    throw invalidOption(`data must be JSON, got ${input.slice(0, 80)}`);
  }
  return termOfJson(json);
}

function show(result: TokenResult): void {
  if (result.ok) {
    print(JSON.stringify(jsonOfTerm(result.data)));
    return;
  }
  process.stderr.write(`simurgh: the token is ${result.reason}\n`);
  process.exitCode = EXIT_FAILED;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
