/**
 * The public keys of an issuer, fetched from its JWKS and cached.
 *
 *   none --a token--> fetched --older than cacheMs, or an unknown key--> fetched again
 *                        +--that fails--> the known keys are used for staleMs; then none
 *
 * Tokens that arrive during a fetch wait for it. Tokens with unknown keys cause at most one fetch
 * per `cooldownMs`. After a failed fetch, no other fetch is started for `retryMs`, and tokens that
 * arrive in the meantime do not wait.
 *
 * Runs on: any thread; each shard has its own.
 * Full: a response larger than 1 MiB counts as a failed fetch. With more than 64 issuers, the
 *       oldest is dropped.
 */

import type { createRemoteJWKSet } from "jose/jwks/remote";

import { invalidOption } from "../definition-checks.ts";
import { BoundedCache } from "./bounded-cache.ts";
import { loadJose, type Jose } from "./jose.ts";

/** Options for caching an issuer's keys. */
export interface JwksOptions {
  /** Age at which keys are fetched again (ms): 0, or at least 1 000. Default: 600 000. */
  readonly cacheMs?: number | undefined;
  /** Minimum time between fetches for unknown keys (ms): 0, or at least 1 000. Default: 30 000. */
  readonly cooldownMs?: number | undefined;
  /** Time limit for a fetch (ms), at least 50. Default: 5 000. */
  readonly timeoutMs?: number | undefined;
  /**
   * Minimum time between a failed fetch and the next one (ms): 0, or at least 50. Default: 1 000.
   */
  readonly retryMs?: number | undefined;
  /**
   * Time after `cacheMs` during which keys are still used if they cannot be fetched (ms): 0, or at
   * least 1 000. Default: 3 600 000.
   */
  readonly staleMs?: number | undefined;
}

const DEFAULTS = {
  cacheMs: 600_000,
  cooldownMs: 30_000,
  timeoutMs: 5_000,
  retryMs: 1_000,
  staleMs: 3_600_000,
} as const;

type Settings = { readonly [Name in keyof typeof DEFAULTS]: number };

/** Valid range of each time. The minimum rejects most values that were meant in seconds. */
const TIMES: Readonly<Record<keyof Settings, { leastMs: number; isZeroAllowed: boolean }>> = {
  cacheMs: { leastMs: 1_000, isZeroAllowed: true },
  cooldownMs: { leastMs: 1_000, isZeroAllowed: true },
  timeoutMs: { leastMs: 50, isZeroAllowed: false },
  retryMs: { leastMs: 50, isZeroAllowed: true },
  staleMs: { leastMs: 1_000, isZeroAllowed: true },
};

export const JWKS_OPTIONS = Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[];

/** Keys of an issuer, as jose caches them. */
type RemoteSet = ReturnType<typeof createRemoteJWKSet>;
/** A key that verifies signatures. */
type VerifyKey = Awaited<ReturnType<RemoteSet>>;
type Find = (...call: Parameters<RemoteSet>) => Promise<VerifyKey>;

const LONGEST_MS = 31_536_000_000;
const MOST_BYTES = 1_048_576;
const issuers = new BoundedCache<string, RemoteKeys>(64);

/**
 * Returns an issuer's keys: the same object for the same address and settings.
 *
 * @throws SIM_ERR_OPTION_INVALID if the address is not a URL, or a time is out of range
 */
export function jwksOf(given: string | URL, options: JwksOptions): RemoteKeys {
  const url = urlOf(given);
  const settings: Settings = { ...DEFAULTS, ...definedOf(options) };
  for (const name of JWKS_OPTIONS) checkTime(name, settings[name]);
  const name = JSON.stringify([url.href, settings]);
  return issuers.get(name, () => new RemoteKeys(url, settings));
}

function checkTime(name: keyof Settings, value: unknown): void {
  const { leastMs, isZeroAllowed } = TIMES[name];
  const isInRange = typeof value === "number" && value >= leastMs && value <= LONGEST_MS;
  if (isInRange || (isZeroAllowed && value === 0)) return;
  const range = `a number from ${leastMs} to ${LONGEST_MS} (ms)`;
  const rule = isZeroAllowed && leastMs > 0 ? `0, or ${range}` : range;
  throw invalidOption(`jwks.${name} must be ${rule}, got ${String(value)}`);
}

/** Thrown when no keys are available for an issuer. */
export class KeysUnavailable extends Error {}

/** The keys of one issuer. */
export class RemoteKeys {
  readonly #url: URL;
  readonly #settings: Settings;
  #set: RemoteSet | undefined;
  #fetchedAtMs = -Infinity;
  #failure: { readonly atMs: number; readonly error: KeysUnavailable } | undefined;

  constructor(url: URL, settings: Settings) {
    this.#url = url;
    this.#settings = settings;
  }

  /**
   * Returns a function that finds the key for a token. It throws KeysUnavailable or whatever jose
   * throws.
   */
  async finder(): Promise<Find> {
    const jose = await loadJose();
    this.#set ??= this.#makeSet(jose);
    const set = this.#set;
    const failure = this.#failure?.error;
    if (failure && !set.fresh && this.#isUsable(set)) {
      // The last fetch failed, so no token waits for the next one.
      set.reload().catch(() => {});
      return this.#findStale(jose, set, failure);
    }
    return async (header, token) => {
      try {
        return await set(header, token);
      } catch (error) {
        if (!isOfFetch(error)) throw error;
        return this.#findStale(jose, set, error)(header, token);
      }
    };
  }

  /** Reports whether the known keys are recent enough to use after a failed fetch. */
  #isUsable(set: RemoteSet): boolean {
    const { cacheMs, staleMs } = this.#settings;
    const ageMs = performance.now() - this.#fetchedAtMs;
    return set.jwks() !== undefined && ageMs < cacheMs + staleMs;
  }

  #makeSet({ createRemoteJWKSet, customFetch }: Jose): RemoteSet {
    const { timeoutMs, cacheMs, cooldownMs } = this.#settings;
    return createRemoteJWKSet(this.#url, {
      timeoutDuration: Math.ceil(timeoutMs),
      cacheMaxAge: cacheMs,
      cooldownDuration: cooldownMs,
      [customFetch]: async (url: string, init: RequestInit) => this.#fetch(url, init),
    });
  }

  /** Returns a function that finds keys among those from the last successful fetch. */
  #findStale({ createLocalJWKSet }: Jose, set: RemoteSet, failure: Error): Find {
    const known = set.jwks();
    if (!known || !this.#isUsable(set)) throw failure;
    const find = createLocalJWKSet(known);
    return async (header, token) => {
      try {
        return await find(header, token);
      } catch (error) {
        // The key may be newer than the last successful fetch.
        throw hasJoseCode(error, "ERR_JWKS_NO_MATCHING_KEY") ? failure : error;
      }
    };
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    const failure = this.#failure;
    if (failure && performance.now() - failure.atMs < this.#settings.retryMs) throw failure.error;
    try {
      const text = await fetchText(url, init);
      this.#failure = undefined;
      this.#fetchedAtMs = performance.now();
      return new Response(text);
    } catch (cause) {
      const error = new KeysUnavailable(`the keys at ${url} cannot be fetched: ${reasonOf(cause)}`);
      error.cause = cause;
      this.#failure = { atMs: performance.now(), error };
      throw error;
    }
  }
}

/** Reports whether an error is a jose error with the given code. */
export function hasJoseCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function isOfFetch(error: unknown): error is Error {
  return (
    error instanceof KeysUnavailable ||
    hasJoseCode(error, "ERR_JWKS_INVALID") ||
    hasJoseCode(error, "ERR_JWKS_TIMEOUT")
  );
}

/** Fetches a JWKS as text. @throws an error that describes what is wrong with the response */
async function fetchText(url: string, init: RequestInit): Promise<string> {
  const response = await fetch(url, init);
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the answer must have status 200, got ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new Error(`the answer must have at most ${MOST_BYTES} (bytes)`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  const parsed: unknown = JSON.parse(text);
  const hasKeys = typeof parsed === "object" && parsed !== null && "keys" in parsed;
  if (hasKeys && Array.isArray(parsed.keys)) return text;
  throw new Error("the answer must be a JWKS");
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // The message of fetch is "fetch failed"; its cause says why.
  const inner = cause.cause instanceof Error ? cause.cause : cause;
  return inner.message === "" ? inner.name : inner.message;
}

function urlOf(given: string | URL): URL {
  const url = URL.canParse(String(given)) ? new URL(String(given)) : undefined;
  if (url?.protocol === "https:" || url?.protocol === "http:") return url;
  throw invalidOption(`jwksUrl must be a URL of https: or http:, got ${String(given)}`);
}

/** Returns the options without undefined ones, which mean the default. */
function definedOf(options: JwksOptions): Partial<Settings> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
