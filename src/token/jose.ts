/**
 * The parts of `jose` that are used here, loaded when a first JWT is verified.
 *
 * Runs on: any thread; each loads it once.
 */

import type { createLocalJWKSet } from "jose/jwks/local";
import type { createRemoteJWKSet, customFetch } from "jose/jwks/remote";
import type { jwtVerify } from "jose/jwt/verify";

/** What of jose is used. */
export interface Jose {
  readonly jwtVerify: typeof jwtVerify;
  readonly createLocalJWKSet: typeof createLocalJWKSet;
  readonly createRemoteJWKSet: typeof createRemoteJWKSet;
  readonly customFetch: typeof customFetch;
}

let loading: Promise<Jose> | undefined;

/** Loads it. */
export async function loadJose(): Promise<Jose> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Jose> {
  const [verify, local, remote] = await Promise.all([
    import("jose/jwt/verify"),
    import("jose/jwks/local"),
    import("jose/jwks/remote"),
  ]);
  return { ...verify, ...local, ...remote };
}
