/**
 * The example of signing in with JSON Web Tokens: an issuer over HTTP, and the official client on two shards.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process.
 * Slow: tokens expire in seconds.
 */

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { LongPoll, type Socket } from "phoenix";

import { serve } from "../../src/index.ts";
import { within } from "../support/deadline.ts";
import { Issuer } from "../support/issuer.ts";
import { connectPhoenix, disconnect, join, push } from "../support/phoenix-client.ts";
import type { Server } from "../support/server.ts";
import { Watched } from "../support/watched.ts";
import { keepSignedIn, Tokens } from "./sign-in-jwt/client.ts";

/** Lifetimes of tokens in seconds: one that expires during the test, and one that does not. */
const SHORT_S = 3;
const LONG_S = 600;

/** All guests, to be closed at the end of a test. */
const guests: Guest[] = [];

/** A client with a token, and the events of its connection. */
class Guest {
  readonly socket: Socket;
  readonly closes: (number | undefined)[] = [];
  opens = 1;
  readonly #seen = new Watched();

  constructor(socket: Socket) {
    this.socket = socket;
    guests.push(this);
    socket.onOpen(() => {
      this.opens += 1;
      this.#seen.changed();
    });
    socket.onClose((event) => {
      this.closes.push(event?.code);
      this.#seen.changed();
    });
  }

  async until(what: string, isSo: () => boolean): Promise<void> {
    await this.#seen.until(what, isSo);
  }
}

describe("the example of a sign-in by tokens", () => {
  let server: Server;
  let issuer: Issuer;
  before(async () => {
    issuer = await Issuer.start("ES256");
    process.env["ISSUER"] = issuer.name;
    server = await serve({
      app: new URL("./sign-in-jwt/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: 2,
      idleTimeoutMs: 1_000,
      logLevel: "silent",
    });
  });
  // Even if a test fails, because these clients would reconnect forever.
  afterEach(async () => {
    await Promise.all(guests.splice(0).map(({ socket }) => disconnect(socket)));
  });
  after(async () => {
    Reflect.deleteProperty(process.env, "ISSUER");
    await server.close();
    await issuer.stop();
  });

  /** Connects with a first token that expires soon, and later ones that do not. */
  async function signedIn(
    user: string,
    {
      transport,
      refreshes = true,
    }: { readonly transport?: unknown; readonly refreshes?: boolean } = {},
  ): Promise<{ readonly guest: Guest; readonly tokens: Tokens; readonly first: string }> {
    const first = await issuer.token(user, { lastsS: SHORT_S });
    const tokens = new Tokens(first, () => issuer.token(user, { lastsS: LONG_S }));
    const params = (): Readonly<Record<string, string>> => ({ token: tokens.current });
    // Much shorter than the idle timeout.
    const options = { heartbeatIntervalMs: 200, ...(transport !== undefined && { transport }) };
    const guest = new Guest(await connectPhoenix(server.port, params, options));
    if (refreshes) keepSignedIn(guest.socket, tokens);
    else guest.socket.channel("session").join();
    return { guest, tokens, first };
  }

  for (const [name, transport] of [
    ["WebSocket", undefined],
    ["long-poll", LongPoll],
  ] as const) {
    it(`keeps a client that sends a new token connected over ${name}, and closes others`, async () => {
      const [ann, bob] = await Promise.all([
        signedIn("ann", { transport }),
        signedIn("bob", { transport, refreshes: false }),
      ]);
      bob.guest.socket.onClose(() => void bob.tokens.refresh());
      await bob.guest.until("bob's close", () => bob.guest.closes.length > 0);
      // Long-poll has no close codes; the client reports that its session is gone.
      assert.equal(bob.guest.closes[0], transport === undefined ? 3000 : 3410);
      // The client now has a new token, with which it reconnects by itself.
      await bob.guest.until("bob's return", () => bob.guest.opens > 1);
      assert.deepEqual(await join(bob.guest.socket.channel("session")), { user: "bob" });
      assert.deepEqual([ann.guest.closes, ann.guest.socket.isConnected()], [[], true]);
      assert.notEqual(ann.tokens.current, ann.first);
      assert.deepEqual(await join(ann.guest.socket.channel("session")), { user: "ann" });
    });
  }

  it("refuses the token of another user, and invalid tokens", async () => {
    const { guest } = await signedIn("ann", { refreshes: false });
    const session = guest.socket.channel("session");
    await join(session);
    const renew = (token: string): Promise<unknown> => push(session, "renew", { token });
    const bobs = await issuer.token("bob", { lastsS: LONG_S });
    await assert.rejects(renew(bobs), /error \{"reason":"another user"\}/);
    const old = await issuer.token("ann", { lastsS: -1 });
    await assert.rejects(renew(old), /error \{"reason":"expired"\}/);
    await assert.rejects(renew("no token"), /error \{"reason":"invalid"\}/);
    await guest.until("the close", () => guest.closes.length > 0);
    assert.equal(guest.closes[0], 3000);
  });

  it("refuses clients without a valid token", async () => {
    const { Socket: PhoenixSocket } = await import("phoenix");
    const { WebSocket } = await import("ws");
    for (const token of ["", await issuer.token("ann", { lastsS: -1 })]) {
      const url = `ws://127.0.0.1:${server.port}/socket`;
      const socket = new PhoenixSocket(url, { transport: WebSocket, params: { token } });
      const refused = new Promise<void>((resolve) => socket.onError(() => resolve()));
      let isOpen = false;
      socket.onOpen(() => (isOpen = true));
      socket.connect();
      await within(refused, "the refusal");
      await disconnect(socket);
      assert.equal(isOpen, false);
    }
  });

  it("fetches the issuer's keys once for each shard", () => {
    assert.ok(issuer.asked >= 1 && issuer.asked <= 2, String(issuer.asked));
  });
});
