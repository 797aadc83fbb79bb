/**
 * An issuer of JSON Web Tokens, like an identity provider: rotates its keys and serves a JWKS over HTTP, which
 * a test can delay or let fail.
 *
 * Runs on: the test's thread.
 */

import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { CryptoKey, JWK, JWTPayload } from "jose";

import { Watched } from "./watched.ts";

/** A key of the issuer. */
interface IssuerKey {
  readonly kid: string;
  readonly algorithm: string;
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
}

/** Contents of a token in addition to the usual ones. */
export interface Said {
  /** In addition to `iss`, `aud`, `sub` and `iat`; undefined removes one of these. */
  readonly claims?: JWTPayload;
  /** Seconds from now until it expires; 60 by default, null for never. */
  readonly lastsS?: number | null;
  /** In addition to `alg` and `kid`; undefined removes the `kid`. */
  readonly header?: { readonly kid?: string | undefined; readonly typ?: string };
}

/** How the issuer answers requests for its keys. */
type Answering = "keys" | "nonsense" | "error" | "nothing";

/** An issuer. */
export class Issuer {
  /** How often its keys were requested. */
  asked = 0;
  /** How it answers. */
  answering: Answering = "keys";
  readonly #server: Server;
  readonly #held = new Set<ServerResponse>();
  readonly #asked = new Watched();
  #keys: readonly IssuerKey[] = [];
  #kids = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(algorithm = "RS256"): Promise<Issuer> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const issuer = new Issuer(server);
    await issuer.rotate(algorithm);
    server.on("request", (_request, response) => issuer.#answer(response));
    return issuer;
  }

  get name(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get jwksUrl(): string {
    return `${this.name}/.well-known/jwks.json`;
  }

  /** Signs with a new key from now on, and keeps `kept` old keys in the JWKS. */
  async rotate(algorithm = "RS256", kept = 0): Promise<void> {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
    this.#kids += 1;
    const kid = `key-${this.#kids}`;
    const publicJwk = { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: "sig" };
    const key = { kid, algorithm, privateKey, publicJwk };
    this.#keys = [key, ...this.#keys.slice(0, kept)];
  }

  /** The public key of the current signing key. */
  get publicJwk(): JWK {
    return this.#signing.publicJwk;
  }

  /** Makes a token. */
  async token(sub: string, { claims = {}, lastsS = 60, header = {} }: Said = {}): Promise<string> {
    const { kid, algorithm, privateKey } = this.#signing;
    const nowS = Math.floor(Date.now() / 1_000);
    const exp = lastsS === null ? {} : { exp: nowS + lastsS };
    const all = { iss: this.name, aud: "chat", sub, iat: nowS, ...exp, ...claims };
    return new SignJWT(all)
      .setProtectedHeader({
        alg: algorithm,
        ...("kid" in header ? {} : { kid }),
        ...defined(header),
      })
      .sign(privateKey);
  }

  /** Waits until its keys have been requested this many times. */
  async wasAsked(times: number): Promise<void> {
    await this.#asked.until(`request ${times} for keys`, () => this.asked >= times);
  }

  /** Answers requests that were left unanswered. */
  release(): void {
    this.answering = "keys";
    for (const response of this.#held) this.#answer(response, false);
    this.#held.clear();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  get #signing(): IssuerKey {
    const [key] = this.#keys;
    if (!key) throw new Error("an issuer without a key");
    return key;
  }

  #answer(response: ServerResponse, isNew = true): void {
    if (isNew) this.asked += 1;
    this.#asked.changed();
    response.setHeader("content-type", "application/json");
    switch (this.answering) {
      case "keys":
        response.end(JSON.stringify({ keys: this.#keys.map(({ publicJwk }) => publicJwk) }));
        break;
      case "nonsense":
        response.end("<html>");
        break;
      case "error":
        response.writeHead(503).end();
        break;
      case "nothing":
        this.#held.add(response);
        break;
    }
  }
}

function defined(header: NonNullable<Said["header"]>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(header).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
