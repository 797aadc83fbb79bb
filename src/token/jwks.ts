/**
 * The public keys of an issuer, fetched from its JWKS and kept.
 *
 *   none --a token--> fetched --older than cacheMs, or an unknown key--> fetched anew
 *                        +--that fails--> the known keys go on for staleMs; then none
 *
 * Whoever comes while a fetch is under way waits for that one. An unknown key has them fetched once in
 * `cooldownMs` and not for each token; a fetch that failed is not tried again for `retryMs`, in which
 * nobody waits.
 *
 * Runs on: any thread; each shard has its own.
 * Full: an answer of more than 1 MiB counts as none; of 64 issuers the first is forgotten.
 */

import type { createRemoteJWKSet } from "jose/jwks/remote";

import { invalidOption } from "../definition-checks.ts";
import { BoundedCache } from "./bounded-cache.ts";
import { loadJose, type Jose } from "./jose.ts";

/** How the keys of an issuer are kept. */
export interface JwksOptions {
  /** For how long keys are used before they are fetched anew (ms); 600 000 without. */
  readonly cacheMs?: number | undefined;
  /** Least time from one fetch to the next where tokens name a key that is not known (ms); 30 000. */
  readonly cooldownMs?: number | undefined;
  /** Time that a fetch may take (ms); 5 000 without. */
  readonly timeoutMs?: number | undefined;
  /** Least time from a fetch that failed to the next (ms); 1 000 without. */
  readonly retryMs?: number | undefined;
  /** For how long keys are used beyond `cacheMs` where they cannot be fetched (ms); 3 600 000 without. */
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

/** Least of each time, so that seconds are refused where milliseconds are meant. */
const TIMES: Readonly<Record<keyof Settings, { leastMs: number; isZeroAllowed: boolean }>> = {
  cacheMs: { leastMs: 1_000, isZeroAllowed: true },
  cooldownMs: { leastMs: 1_000, isZeroAllowed: true },
  timeoutMs: { leastMs: 50, isZeroAllowed: false },
  retryMs: { leastMs: 50, isZeroAllowed: true },
  staleMs: { leastMs: 1_000, isZeroAllowed: true },
};

export const JWKS_OPTIONS = Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[];

/** The set of an issuer, as jose keeps it. */
type RemoteSet = ReturnType<typeof createRemoteJWKSet>;
/** A key by which a token's signature can be checked. */
type VerifyKey = Awaited<ReturnType<RemoteSet>>;
type Find = (...call: Parameters<RemoteSet>) => Promise<VerifyKey>;

const LONGEST_MS = 31_536_000_000;
const MOST_BYTES = 1_048_576;
const issuers = new BoundedCache<string, RemoteKeys>(64);

/**
 * Gives the keys of an issuer: the same for the same address and settings.
 *
 * @throws SIM_ERR_OPTION_INVALID for what is no address, or no time
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

/** Says that an issuer's keys cannot be had. */
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

  /** Gives what finds the key that a token names. It throws KeysUnavailable, or what jose throws. */
  async finder(): Promise<Find> {
    const jose = await loadJose();
    this.#set ??= this.#makeSet(jose);
    const set = this.#set;
    const failure = this.#failure?.error;
    if (failure && !set.fresh && this.#isUsable(set)) {
      // Where the last fetch has failed nobody waits for the next.
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

  /** True while there are keys that may be used although they cannot be fetched anew. */
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

  /** Gives what finds keys among those that were known before they could not be fetched. */
  #findStale({ createLocalJWKSet }: Jose, set: RemoteSet, failure: Error): Find {
    const known = set.jwks();
    if (!known || !this.#isUsable(set)) throw failure;
    const find = createLocalJWKSet(known);
    return async (header, token) => {
      try {
        return await find(header, token);
      } catch (error) {
        // The key may be a new one, which nobody can know now.
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
      const error = new KeysUnavailable(`the keys at ${url} cannot be had: ${reasonOf(cause)}`);
      error.cause = cause;
      this.#failure = { atMs: performance.now(), error };
      throw error;
    }
  }
}

/** True for an error of jose with a code. */
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

/** Fetches a set of keys as text. @throws what is wrong with it */
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
  throw new Error("the answer must be a set of keys");
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // fetch says "fetch failed", and why in the cause.
  const inner = cause.cause instanceof Error ? cause.cause : cause;
  return inner.message === "" ? inner.name : inner.message;
}

function urlOf(given: string | URL): URL {
  const url = URL.canParse(String(given)) ? new URL(String(given)) : undefined;
  if (url?.protocol === "https:" || url?.protocol === "http:") return url;
  throw invalidOption(`jwksUrl must be an address of https: or http:, got ${String(given)}`);
}

/** Leaves out what is undefined, which stands for the default. */
function definedOf(options: JwksOptions): Partial<Settings> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
