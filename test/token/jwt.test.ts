/**
 * JSON Web Tokens: which are accepted, why others are refused, and how often keys are fetched.
 *
 * Runs on: the test's thread; issuers are real HTTP servers.
 * Slow: it makes keys for every algorithm.
 */

import assert from "node:assert/strict";
import { createHmac, createPublicKey, generateKeyPairSync } from "node:crypto";
import { afterEach, describe, it } from "node:test";

import type { StandardSchemaV1 } from "@standard-schema/spec";

import { ok } from "../../src/index.ts";
import { verifyJwt, type JwtOptions, type JwtResult } from "../../src/token/index.ts";
import { within } from "../support/deadline.ts";
import { Issuer, type Said } from "../support/issuer.ts";

const SECRET = "a secret of thirty-two bytes ...";

const issuers: Issuer[] = [];

afterEach(async () => {
  await Promise.all(issuers.splice(0).map((issuer) => issuer.stop()));
});

async function startIssuer(algorithm?: string): Promise<Issuer> {
  const issuer = await Issuer.start(algorithm);
  issuers.push(issuer);
  return issuer;
}

/** What an application would require of its issuer's tokens. */
function optionsFor(issuer: Issuer, more: Partial<JwtOptions> = {}): JwtOptions {
  const { jwksUrl, name } = issuer;
  return { jwksUrl, issuer: name, audience: "chat", ...more } as JwtOptions;
}

/** Returns why a token is refused, or that it is accepted. */
function outcomeOf(result: JwtResult<unknown>): string {
  return result.ok ? "ok" : result.reason;
}

async function outcome(token: unknown, options: JwtOptions): Promise<string> {
  return outcomeOf(await verifyJwt(token, options));
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

/** Makes a token by hand, with a header that a forger could write. */
function forged(header: object, claims: object, key?: string): string {
  const text = `${part(header)}.${part(claims)}`;
  const signature =
    key === undefined ? "" : createHmac("sha256", key).update(text).digest("base64url");
  return `${text}.${signature}`;
}

const lasting = { sub: "ann", exp: 4_000_000_000 };

describe("verifyJwt", () => {
  it("returns the claims of a token, and when it expires, in milliseconds", async () => {
    const issuer = await startIssuer();
    const result = await verifyJwt(await issuer.token("ann"), optionsFor(issuer));
    assert.ok(result.ok);
    const { claims, expiresAtMs } = result;
    assert.deepEqual([claims.sub, claims.aud, claims.iss], ["ann", "chat", issuer.name]);
    assert.equal(expiresAtMs, Number(claims.exp) * 1_000);
    // `connect` returns it like this.
    assert.equal(ok({}, result).expiresAtMs, expiresAtMs);
  });

  it("accepts tokens with all algorithms of public keys", async () => {
    for (const algorithm of ["RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA"]) {
      const issuer = await startIssuer(algorithm);
      const token = await issuer.token("ann");
      assert.equal(await outcome(token, optionsFor(issuer)), "ok", algorithm);
      const alone = { publicKey: issuer.publicJwk, issuer: issuer.name };
      assert.equal(await outcome(token, alone), "ok", algorithm);
    }
  });

  it("accepts a public key as PEM, JWK or KeyObject", async () => {
    const issuer = await startIssuer();
    const token = await issuer.token("ann");
    const key = createPublicKey({ key: issuer.publicJwk, format: "jwk" });
    const pem = key.export({ format: "pem", type: "spki" }).toString();
    for (const publicKey of [pem, issuer.publicJwk, key]) {
      assert.equal(await outcome(token, { publicKey }), "ok");
    }
  });

  it("accepts a shared secret, as a string or bytes", async () => {
    const token = forged({ alg: "HS256" }, lasting, SECRET);
    assert.equal(await outcome(token, { secret: SECRET }), "ok");
    assert.equal(await outcome(token, { secret: Buffer.from(SECRET) }), "ok");
    assert.equal(await outcome(token, { secret: `${SECRET}!` }), "invalid");
  });

  it("returns why a token is refused", async () => {
    const issuer = await startIssuer();
    const of = async (said: Said, more: Partial<JwtOptions> = {}): Promise<string> =>
      outcome(await issuer.token("ann", said), optionsFor(issuer, more));
    const inAnHour = Math.floor(Date.now() / 1_000) + 3_600;
    assert.equal(await outcome(undefined, optionsFor(issuer)), "missing");
    assert.equal(await outcome(null, optionsFor(issuer)), "missing");
    for (const text of ["", "a.b.c", "..", "x".repeat(70_000), 7, {}]) {
      assert.equal(await outcome(text, optionsFor(issuer)), "invalid");
    }
    assert.equal(await of({ lastsS: -1 }), "expired");
    assert.equal(await of({ lastsS: -20 }, { clockToleranceMs: 30_000 }), "ok");
    assert.equal(await of({ claims: { nbf: inAnHour } }), "early");
    assert.equal(await of({ claims: { iss: "https://other" } }), "invalid_claims");
    assert.equal(await of({ claims: { aud: ["other", "more"] } }), "invalid_claims");
    assert.equal(await of({ claims: { aud: ["other", "chat"] } }), "ok");
    assert.equal(await of({}, { audience: ["x", "chat"] }), "ok");
    assert.equal(await of({}, { type: "at+jwt" }), "invalid_claims");
    assert.equal(await of({ header: { typ: "at+jwt" } }, { type: "at+jwt" }), "ok");
    assert.equal(await of({}, { requiredClaims: ["exp", "scope"] }), "invalid_claims");
    assert.equal(await of({ claims: { scope: "x" } }, { requiredClaims: ["scope"] }), "ok");
  });

  it("describes what is wrong, without quoting the token", async () => {
    const issuer = await startIssuer();
    const token = await issuer.token("ann", { lastsS: -1 });
    const result = await verifyJwt(token, optionsFor(issuer));
    assert.deepEqual(result, {
      ok: false,
      reason: "expired",
      detail: '"exp" claim timestamp check failed',
    });
  });

  it("requires exp, unless it is told otherwise", async () => {
    const issuer = await startIssuer();
    const token = await issuer.token("ann", { lastsS: null });
    assert.equal(await outcome(token, optionsFor(issuer)), "invalid_claims");
    const result = await verifyJwt(token, optionsFor(issuer, { requiredClaims: [] }));
    assert.ok(result.ok);
    assert.equal(result.expiresAtMs, undefined);
  });

  it("lets a token expire by its age, and returns that time", async () => {
    const issuer = await startIssuer();
    const iat = Math.floor(Date.now() / 1_000) - 100;
    const token = await issuer.token("ann", { claims: { iat }, lastsS: 600 });
    assert.equal(await outcome(token, optionsFor(issuer, { maxAgeMs: 90_000 })), "expired");
    const result = await verifyJwt(
      token,
      optionsFor(issuer, { maxAgeMs: 150_000, clockToleranceMs: 7_000 }),
    );
    assert.ok(result.ok);
    assert.equal(result.expiresAtMs, (iat + 150 + 7) * 1_000);
  });

  it("limits an expiry that no Date can represent to the latest one", async () => {
    const token = forged({ alg: "HS256" }, { exp: 1e300 }, SECRET);
    const result = await verifyJwt(token, { secret: SECRET });
    assert.ok(result.ok);
    assert.equal(ok({}, result).expiresAtMs, 8.64e15);
  });
});

describe("verifyJwt, against forgers,", () => {
  it("refuses unsigned tokens", async () => {
    const issuer = await startIssuer();
    for (const alg of ["none", "None", "NONE", "", undefined]) {
      const claims = { ...lasting, iss: issuer.name, aud: "chat" };
      for (const options of [
        optionsFor(issuer),
        { secret: SECRET },
        { publicKey: issuer.publicJwk },
      ]) {
        assert.equal(await outcome(forged({ alg }, claims), options), "invalid", String(alg));
        assert.equal(await outcome(forged({ alg }, claims, SECRET), options), "invalid");
      }
    }
  });

  it("refuses tokens signed with the public key as if it were a secret", async () => {
    const issuer = await startIssuer();
    const key = createPublicKey({ key: issuer.publicJwk, format: "jwk" });
    const pem = key.export({ format: "pem", type: "spki" }).toString();
    const claims = { ...lasting, iss: issuer.name, aud: "chat" };
    for (const secret of [pem, pem.trim(), JSON.stringify(issuer.publicJwk)]) {
      const token = forged({ alg: "HS256", kid: "key-1" }, claims, secret);
      for (const options of [
        optionsFor(issuer),
        { publicKey: pem },
        { publicKey: issuer.publicJwk },
      ]) {
        const result = await verifyJwt(token, options);
        assert.equal(outcomeOf(result), "invalid");
        // Refused by the algorithm alone: no key is tried.
        assert.match(result.ok ? "" : result.detail, /"alg"/);
      }
    }
  });

  it("allows no algorithm that does not fit the key", async () => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
    const wrong: readonly [JwtOptions, RegExp][] = [
      [{ publicKey, algorithms: ["HS256"] }, /algorithms must be some of RS256, .*got HS256/],
      [{ publicKey, algorithms: ["RS256", "none"] }, /got none/],
      [{ publicKey, algorithms: ["ES256"] }, /got ES256/],
      [{ publicKey, algorithms: [] }, /got none/],
      [{ secret: SECRET, algorithms: ["RS256"] }, /some of HS256, HS384, HS512 .*got RS256/],
      [{ jwksUrl: "https://x.test", algorithms: ["HS256"] }, /got HS256/],
    ];
    for (const [options, message] of wrong) {
      await assert.rejects(verifyJwt("a.b.c", options), {
        code: "SIM_ERR_OPTION_INVALID",
        message,
      });
    }
  });

  it("accepts only the algorithms in its options", async () => {
    const issuer = await startIssuer("RS256");
    const token = await issuer.token("ann");
    assert.equal(await outcome(token, optionsFor(issuer, { algorithms: ["ES256"] })), "invalid");
    const hs512 = { secret: SECRET.repeat(2), algorithms: ["HS512"] };
    assert.equal(
      await outcome(forged({ alg: "HS256" }, lasting, SECRET.repeat(2)), hs512),
      "invalid",
    );
  });

  it("refuses a token with a changed character, or from another issuer", async () => {
    const [issuer, other] = [await startIssuer(), await startIssuer()];
    const token = await issuer.token("ann");
    const [header, , signature] = token.split(".");
    const [, claims] = (await issuer.token("bob")).split(".");
    assert.equal(await outcome(`${header}.${claims}.${signature}`, optionsFor(issuer)), "invalid");
    const said = { claims: { iss: issuer.name } };
    assert.equal(await outcome(await other.token("ann", said), optionsFor(issuer)), "invalid");
  });

  it("refuses private keys, short secrets and short RSA keys", async () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 1_024 });
    const { privateKey } = generateKeyPairSync("ed25519");
    const pem = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
    const wrong: readonly [JwtOptions, RegExp][] = [
      [{ publicKey: privateKey }, /must be a public key, got a private one/],
      [{ publicKey: pem }, /must be a public key, got a private one/],
      [
        { publicKey: privateKey.export({ format: "jwk" }) },
        /must be a public key, got a private one/,
      ],
      [{ publicKey: "no key" }, /must be PEM, a JWK or a KeyObject/],
      [{ publicKey: rsa.publicKey }, /at least 2048 \(bits\), got 1024/],
      [{ secret: "short" }, /secret must be at least 32 \(bytes\), got 5; to make one/],
    ];
    for (const [options, message] of wrong) {
      await assert.rejects(verifyJwt("a.b.c", options), {
        code: "SIM_ERR_OPTION_INVALID",
        message,
      });
    }
  });
});

describe("options of verifyJwt", () => {
  it("cause an error that says what is wrong", async () => {
    const jwksUrl = "https://x.test/jwks";
    const wrong: readonly [object, RegExp][] = [
      [{}, /options must have exactly one of jwksUrl, secret, publicKey, got none/],
      [undefined as never, /options of verifyJwt, its second argument, must be an object, got un/],
      [{ secret: SECRET, issuer: [] }, /issuer must have at least one string, got none/],
      [{ secret: SECRET, audience: [] }, /audience must have at least one string, got none/],
      [{ secret: SECRET, jwksUrl }, /got jwksUrl, secret/],
      [{ jwksUrl: "ftp://x.test" }, /jwksUrl must be a URL of https: or http:, got ftp/],
      [{ jwksUrl: "jwks.json" }, /jwksUrl must be a URL/],
      [{ jwksUrl, jwks: { cooldownMs: Number.NaN } }, /jwks.cooldownMs must be .* got NaN/],
      [{ jwksUrl, jwks: { cooldown: 1 } }, /option must be one of cacheMs, .* got cooldown/],
      [
        { secret: SECRET, audence: "chat" },
        /option must be one of .* got audence; did you mean audience\?$/,
      ],
      [{ secret: SECRET, audience: "" }, /audience must be a string/],
      [{ secret: SECRET, issuer: [7] }, /issuer must be a string/],
      [{ secret: SECRET, clockToleranceMs: -1 }, /clockToleranceMs must be .*\(ms\), got -1$/],
      [{ secret: SECRET, clockToleranceMs: 30 }, /, got 30, which looks like seconds/],
      [{ secret: SECRET, maxAgeMs: "1h" }, /maxAgeMs must be .*\(ms\), got "1h"$/],
      [{ secret: SECRET, maxAgeMs: 600 }, /, got 600, which looks like seconds/],
      [{ secret: SECRET, maxAge: 600 }, /, got maxAge; write maxAgeMs, in milliseconds$/],
      [
        { jwksUrl, jwks: { cacheMs: 600 } },
        /jwks.cacheMs must be 0, or a number from 1000 .*, got 600$/,
      ],
      [{ jwksUrl, jwks: { timeoutMs: 5 } }, /jwks.timeoutMs must be a number from 50 .*, got 5$/],
      [{ secret: SECRET, schema: {} }, /schema must be a Standard Schema, got object/],
    ];
    for (const [options, message] of wrong) {
      const expected = { code: "SIM_ERR_OPTION_INVALID", message };
      await assert.rejects(verifyJwt("a.b.c", options as JwtOptions), expected);
    }
  });

  it("may contain a schema, which checks the claims and types them", async () => {
    interface Claims {
      readonly sub: string;
      readonly role: "admin" | "guest";
    }
    const schema: StandardSchemaV1<unknown, Claims> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: async (value) => {
          await Promise.resolve();
          const { sub, role } = value as Partial<Claims>;
          if (sub !== undefined && (role === "admin" || role === "guest"))
            return { value: { sub, role } };
          return { issues: [{ message: "must be admin or guest", path: ["role"] }] };
        },
      },
    };
    const guest = forged({ alg: "HS256" }, { ...lasting, role: "guest" }, SECRET);
    const result = await verifyJwt(guest, { secret: SECRET, schema });
    assert.ok(result.ok);
    const { claims }: { readonly claims: Claims } = result;
    assert.deepEqual(claims, { sub: "ann", role: "guest" });
    assert.equal(result.expiresAtMs, 4_000_000_000_000);

    const king = forged({ alg: "HS256" }, { ...lasting, role: "king" }, SECRET);
    assert.deepEqual(await verifyJwt(king, { secret: SECRET, schema }), {
      ok: false,
      reason: "invalid_claims",
      detail: "role: must be admin or guest",
      issues: [{ message: "must be admin or guest", path: ["role"] }],
    });
  });
});

describe("the keys of an issuer", () => {
  it("are fetched once, for all tokens", async () => {
    const issuer = await startIssuer();
    const token = await issuer.token("ann");
    issuer.answering = "nothing";
    const first = Array.from({ length: 50 }, () => outcome(token, optionsFor(issuer)));
    await issuer.wasAsked(1);
    issuer.release();
    assert.deepEqual(new Set(await Promise.all(first)), new Set(["ok"]));
    assert.equal(await outcome(token, optionsFor(issuer)), "ok");
    assert.equal(issuer.asked, 1);
  });

  it("are found without a restart if they are new", async () => {
    const issuer = await startIssuer();
    const options = optionsFor(issuer, { jwks: { cooldownMs: 0 } });
    const old = await issuer.token("ann");
    assert.equal(await outcome(old, options), "ok");
    await issuer.rotate("ES256", 1);
    assert.equal(await outcome(await issuer.token("ann"), options), "ok");
    assert.equal(await outcome(old, options), "ok");
    assert.equal(issuer.asked, 2);
    await issuer.rotate("RS256");
    assert.equal(await outcome(await issuer.token("ann"), options), "ok");
    // The old key is no longer in the set.
    assert.equal(await outcome(old, options), "invalid");
  });

  it("are not fetched for each of many tokens with unknown keys", async () => {
    const issuer = await startIssuer();
    const [good, options] = [await issuer.token("ann"), optionsFor(issuer)];
    assert.equal(await outcome(good, options), "ok");
    const flood = Array.from({ length: 200 }, async (_, at) =>
      outcome(await issuer.token("eve", { header: { kid: `none-${at}` } }), options),
    );
    assert.deepEqual(new Set(await Promise.all(flood)), new Set(["invalid"]));
    assert.equal(issuer.asked, 1);
  });

  it("are each tried for a token that names no key", async () => {
    const issuer = await startIssuer();
    const first = await issuer.token("ann", { header: { kid: undefined } });
    await issuer.rotate("RS256", 1);
    const second = await issuer.token("bob", { header: { kid: undefined } });
    for (const token of [first, second])
      assert.equal(await outcome(token, optionsFor(issuer)), "ok");
    await issuer.rotate("RS256", 1);
    const options = optionsFor(issuer, { jwks: { cacheMs: 0 } });
    assert.equal(await outcome(first, options), "invalid");
    const ended = await issuer.token("bob", { header: { kid: undefined }, lastsS: -1 });
    assert.equal(await outcome(ended, options), "expired");
  });

  it("make tokens unavailable if they cannot be fetched, with a reason, and without a fetch for each token", async () => {
    const issuer = await startIssuer();
    const token = await issuer.token("ann");
    const options = optionsFor(issuer);
    const expected: Readonly<Record<string, RegExp>> = {
      error: /keys at http:.* cannot be fetched: the answer must have status 200, got 503/,
      nonsense: /cannot be fetched: .*JSON/,
    };
    for (const answering of ["error", "nonsense"] as const) {
      issuer.answering = answering;
      const jwks = { timeoutMs: answering === "error" ? 4_000 : 4_001, retryMs: 60_000 };
      const before = issuer.asked;
      for (let count = 0; count < 3; count += 1) {
        const result = await verifyJwt(token, { ...options, jwks } as JwtOptions);
        assert.equal(outcomeOf(result), "unavailable");
        assert.match(result.ok ? "" : result.detail, expected[answering] ?? /^$/);
      }
      assert.equal(issuer.asked, before + 1, answering);
    }
    issuer.answering = "keys";
    assert.equal(await outcome(token, options), "ok");
  });

  it("make tokens unavailable while the issuer is down, until it is back", async () => {
    const issuer = await Issuer.start();
    const [token, options] = [
      await issuer.token("ann"),
      optionsFor(issuer, { jwks: { retryMs: 0 } }),
    ];
    await issuer.stop();
    const result = await verifyJwt(token, options);
    assert.equal(outcomeOf(result), "unavailable");
    assert.match(result.ok ? "" : result.detail, /ECONNREFUSED/);
  });

  it("are waited for no longer than timeoutMs if the issuer does not answer", async () => {
    const issuer = await startIssuer();
    issuer.answering = "nothing";
    const options = optionsFor(issuer, { jwks: { timeoutMs: 50, retryMs: 60_000 } });
    const token = await issuer.token("ann");
    const first = await within(verifyJwt(token, options), "the answer in spite of the issuer");
    assert.equal(outcomeOf(first), "unavailable");
    assert.equal(await outcome(token, options), "unavailable");
    assert.equal(issuer.asked, 1);
  });

  it("are used for another staleMs if they cannot be fetched again, and no token waits", async () => {
    const issuer = await startIssuer();
    const [token, jwks] = [await issuer.token("ann"), { cacheMs: 0, retryMs: 0 }];
    const options = optionsFor(issuer, { jwks: { ...jwks, staleMs: 60_000 } });
    const strict = optionsFor(issuer, { jwks: { ...jwks, staleMs: 0 } });
    for (const each of [options, strict]) assert.equal(await outcome(token, each), "ok");
    issuer.answering = "error";
    assert.equal(await outcome(token, strict), "unavailable");
    assert.equal(await outcome(token, options), "ok");
    // The next fetch hangs, and this token does not wait for it.
    issuer.answering = "nothing";
    assert.equal(await within(outcome(token, options), "an answer by the known keys"), "ok");
    // An unknown key may be a new one.
    const unknown = await issuer.token("ann", { header: { kid: "new" } });
    assert.equal(await outcome(unknown, options), "unavailable");
    issuer.release();
    // After a fetch it is known not to exist.
    await within(untilInvalid(unknown, options), "the refusal by the new keys");
  });

  it("are not accepted from an answer that is too large", async () => {
    const issuer = await startIssuer();
    const big = { pad: "x".repeat(1_100_000) };
    Object.assign(issuer.publicJwk, big);
    const result = await verifyJwt(await issuer.token("ann"), optionsFor(issuer));
    assert.match(result.ok ? "" : result.detail, /at most 1048576 \(bytes\)/);
  });
});

async function untilInvalid(token: string, options: JwtOptions): Promise<void> {
  while ((await outcome(token, options)) !== "invalid") await new Promise(setImmediate);
}
