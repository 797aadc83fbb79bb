/**
 * The parts of `jose` that are used here. Loaded when the first JWT is verified.
 *
 * Runs on: any thread; each loads it once.
 */

import type { createLocalJWKSet } from "jose/jwks/local";
import type { createRemoteJWKSet, customFetch } from "jose/jwks/remote";
import type { jwtVerify } from "jose/jwt/verify";

/** Functions of jose. */
export interface Jose {
  readonly jwtVerify: typeof jwtVerify;
  readonly createLocalJWKSet: typeof createLocalJWKSet;
  readonly createRemoteJWKSet: typeof createRemoteJWKSet;
  readonly customFetch: typeof customFetch;
}

let loading: Promise<Jose> | undefined;

/** Loads jose, once. */
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
