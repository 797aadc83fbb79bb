/**
 * `simurgh token`: creates and reads Phoenix.Token tokens, for example to debug a client's token.
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
import { withTypedNames, parseTokenArguments, secretOf } from "./token-arguments.ts";

const HELP = `simurgh token <action> [options] [data or token]: creates and reads tokens

  sign       prints a signed token with data (JSON)
  encrypt    prints an encrypted token with data (JSON)
  verify     prints the data of a signed token
  decrypt    prints the data of an encrypted token

Without an argument, the data or token is read from standard input. The secret
is SIMURGH_SECRET_KEY_BASE, the secret_key_base of your Phoenix app. Terms
without a JSON form: {"$atom":"user"} {"$tuple":[1,2]} {"$bytes":"AA=="}
{"$bigint":"9"} {"$map":[[1,2]]} {"$list":[[1],2]} {"$bitstring":["gA==",1]}

Options
  --salt <text>          purpose of the token, such as "user auth"; required
  --secret-file <file>   file that contains only the secret
  --max-age-ms <ms>      lifetime, or infinity; default: 86400000, or as signed
  --signed-at-ms <ms>    time of signing, since 1970; default: now
  --key-digest <name>    sha256, sha384 or sha512; default: sha256
  --key-iterations <n>   default: 1000
  --key-length <bytes>   default: 32
`;

/** The command `token`. */
export const tokenCommand: Command = {
  name: "token",
  usage: "<action> [options]",
  about: "creates and reads Phoenix tokens",
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
      throw withTypedNames(error, secretFile);
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
