/**
 * The README's example of a sign-in shared with Phoenix, with a token that Phoenix would make.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { error, ok, Token, type ConnectRequest, type ShardContext } from "../../src/index.ts";
import { userSocket } from "./sign-in/user-socket.ts";

const SECRET = "a".repeat(64);

function requestWith(params: Record<string, string>): ConnectRequest {
  const context = { secretKeyBase: SECRET } as unknown as ShardContext;
  return { params, connectInfo: {}, context, transport: "websocket" };
}

describe("the README's shared sign-in", () => {
  it("lets in who has a token of the application, and nobody else", () => {
    const token = Token.sign(SECRET, "user auth", 7);
    const old = Token.sign(SECRET, "user auth", 7, { signedAt: 1_700_000_000 });
    assert.deepEqual(userSocket.connect(requestWith({ token })), ok({ userId: 7 }));
    assert.equal(userSocket.id({ assigns: { userId: 7 } }), "users:7");
    assert.deepEqual(userSocket.connect(requestWith({})), error({ reason: "missing" }));
    const expired = error({ reason: "expired" });
    assert.deepEqual(userSocket.connect(requestWith({ token: old })), expired);
    const forged = Token.sign("b".repeat(64), "user auth", 7);
    const invalid = error({ reason: "invalid" });
    assert.deepEqual(userSocket.connect(requestWith({ token: forged })), invalid);
  });
});
