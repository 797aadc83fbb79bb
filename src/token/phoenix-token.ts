/**
 * `verifyPhoenixToken`: a Phoenix.Token as `connect` wants it: with the shard's secret, its data checked
 * by a schema, and with the time at which the connection is to end.
 *
 * Runs on: any thread; pure but for the cache of keys.
 */

import type { TokenRefusal } from "./payload.ts";
import type { Term } from "./terms.ts";
import { openEncrypted, openSigned } from "./token.ts";
import { checkNames, VERIFY_OPTIONS, type VerifyOptions } from "./token-options.ts";
import {
  checkedNow,
  checkSchema,
  detailOf,
  type Schema,
  type TokenIssues,
} from "./token-schema.ts";

/** Who knows the secret: a request to connect, a channel, or a shard's context. */
export type SecretHolder =
  | { readonly secretKeyBase: string }
  | { readonly context: { readonly secretKeyBase: string } };

/** How a token was made, and what is in it. */
export interface PhoenixTokenOptions<Data = Term> extends VerifyOptions {
  /** What the token is for, as in "user auth"; the same as where it was signed. */
  readonly salt: string;
  /** True for tokens of `encrypt`. */
  readonly encrypted?: boolean | undefined;
  /** Checks the data, and types it: a Standard Schema (zod, valibot, arktype, …) that answers at once. */
  readonly schema?: Schema<Data> | undefined;
}

/** What became of a token. */
export type PhoenixTokenResult<Data> =
  | {
      readonly ok: true;
      readonly data: Data;
      /** When the token ends (ms since 1970), for `ok` of `connect`; undefined: never. */
      readonly expiresAtMs: number | undefined;
    }
  | PhoenixTokenFailure;

/** Why a token is refused. */
export interface PhoenixTokenFailure {
  readonly ok: false;
  /** What a client may be told. `invalid_data`: the token holds, and its data is not what it must be. */
  readonly reason: TokenRefusal | "invalid_data";
  /** The same in a sentence, for a log. */
  readonly detail: string;
  /** What the schema has found. */
  readonly issues?: TokenIssues;
}

const DETAILS: Readonly<Record<TokenRefusal, string>> = {
  missing: "there is no token",
  invalid: "the token was not made with this secret, salt and derivation, or has been changed",
  expired: "the token is older than it may be",
};

const OWN_OPTIONS = ["salt", "encrypted", "schema", ...VERIFY_OPTIONS] as const;

/**
 * Gives the data of a token made by Phoenix.Token, or by `Token`, while it holds.
 *
 * ```ts
 * const token = verifyPhoenixToken(request, request.params["token"], { salt: "user auth", schema });
 * if (!token.ok) return error({ reason: token.reason });
 * return ok({ userId: token.data }, token);
 * ```
 *
 * @param holder - who knows the secret: the request of `connect`, or a channel's socket
 * @param token - whatever a client sent; null and undefined are a token that is missing
 * @throws SIM_ERR_OPTION_INVALID for a wrong option; never for a token
 */
export function verifyPhoenixToken<Data = Term>(
  holder: SecretHolder,
  token: unknown,
  options: PhoenixTokenOptions<Data>,
): PhoenixTokenResult<Data> {
  checkNames(options, OWN_OPTIONS);
  const { salt, encrypted = false, schema, ...rest } = options;
  checkSchema(schema);
  const open = encrypted ? openEncrypted : openSigned;
  const opened = open(secretOf(holder), salt, token, rest);
  if (!opened.ok) return { ...opened, detail: DETAILS[opened.reason] };
  const checked = checkedNow(schema, opened.data);
  if (checked.ok) return { ok: true, data: checked.value, expiresAtMs: opened.expiresAtMs };
  const { issues } = checked;
  return { ok: false, reason: "invalid_data", detail: detailOf(issues), issues };
}

function secretOf(holder: SecretHolder): string {
  return "context" in holder ? holder.context.secretKeyBase : holder.secretKeyBase;
}
