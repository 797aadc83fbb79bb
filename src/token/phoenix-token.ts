/**
 * `verifyPhoenixToken`: `Token.verify` for `connect`, with the server's secret and a schema.
 *
 * The result includes the token's expiry time.
 *
 * Runs on: any thread; pure except for the cache of keys.
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

/**
 * An object that holds the server's secret: a request to connect, a channel's socket, or a context.
 */
export type SecretHolder =
  | { readonly secretKeyBase: string }
  | { readonly context: { readonly secretKeyBase: string } };

/** How a token was created, and what it must contain. */
export interface PhoenixTokenOptions<Data = Term> extends VerifyOptions {
  /** Purpose of the token, such as "user auth"; the salt that it was signed with. */
  readonly salt: string;
  /** True for a token created by `encrypt`. */
  readonly encrypted?: boolean | undefined;
  /** A synchronous Standard Schema (zod, valibot, arktype, …) that checks the data and types it. */
  readonly schema?: Schema<Data> | undefined;
}

/** Result of verifying a token. */
export type PhoenixTokenResult<Data> =
  | {
      readonly ok: true;
      readonly data: Data;
      /**
       * Expiry time (ms since 1970), for `ok` in `connect`; undefined if the token never expires.
       */
      readonly expiresAtMs: number | undefined;
    }
  | PhoenixTokenFailure;

/** Reason for refusing a token. */
export interface PhoenixTokenFailure {
  readonly ok: false;
  /**
   * Safe to send to a client. `invalid_data`: the token is valid, but the schema rejects its data.
   */
  readonly reason: TokenRefusal | "invalid_data";
  /** A sentence for the log. */
  readonly detail: string;
  /** Issues found by the schema. */
  readonly issues?: TokenIssues;
}

const DETAILS: Readonly<Record<TokenRefusal, string>> = {
  missing: "there is no token",
  invalid: "the token was not made with this secret, salt and derivation, or was changed",
  expired: "the token is too old",
};

const OWN_OPTIONS = ["salt", "encrypted", "schema", ...VERIFY_OPTIONS] as const;

/**
 * Verifies a token created by Phoenix.Token or by `Token`, and returns its data.
 *
 * ```ts
 * const token = verifyPhoenixToken(request, request.params["token"], { salt: "user auth", schema });
 * if (!token.ok) return error({ reason: token.reason });
 * return ok({ userId: token.data }, token);
 * ```
 *
 * @param holder - holds the secret: the request in `connect`, or a channel's socket
 * @param token - the client's value, of any type; null and undefined count as missing
 * @throws SIM_ERR_OPTION_INVALID for an invalid option, but never for an invalid token
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
