/**
 * `simurgh/token`: tokens of this server and of Phoenix, and JSON Web Tokens.
 *
 * Runs on: any thread.
 */

export { Token } from "./token.ts";
export { verifyPhoenixToken } from "./phoenix-token.ts";
export type {
  PhoenixTokenFailure,
  PhoenixTokenOptions,
  PhoenixTokenResult,
  SecretHolder,
} from "./phoenix-token.ts";
export { verifyJwt } from "./jwt.ts";
export type { JwtFailure, JwtRefusal, JwtResult } from "./jwt.ts";
export type { JwtChecks, JwtClaims, JwtKeys, JwtOptions } from "./jwt-options.ts";
export type { JwksOptions } from "./jwks.ts";
export type { TokenIssues } from "./token-schema.ts";
export type { TokenRefusal, TokenResult } from "./payload.ts";
export type { SessionResult } from "./session.ts";
export type { Atom, Bitstring, Identifier, ImproperList, Term, Tuple } from "./terms.ts";
export type { KeyOptions, SessionOptions, SignOptions, VerifyOptions } from "./token-options.ts";
