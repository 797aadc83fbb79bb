import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  checkSubprotocols,
  chooseSubprotocol,
} from "../../../src/transport/handshake/subprotocols.ts";

const SERVED = ["v12.stomp", "chat"];

describe("a subprotocol", () => {
  it("is the server's first choice among those offered, in any order and spacing", () => {
    for (const [offered, chosen] of [
      ["chat", "chat"],
      ["nope, chat, v12.stomp", "v12.stomp"],
      ["chat,\t v12.stomp ,", "v12.stomp"],
      [" , chat", "chat"],
    ] as const) {
      assert.equal(chooseSubprotocol(offered, SERVED), chosen, offered);
    }
  });

  it("is refused if none of those offered is served", () => {
    for (const offered of ["nope", "", ",", "Chat", "chat2", "chat v12.stomp"]) {
      assert.equal(chooseSubprotocol(offered, SERVED), undefined, offered);
    }
    assert.equal(chooseSubprotocol("chat", []), undefined);
  });

  it("is empty if none is offered, or the mount has none", () => {
    assert.equal(chooseSubprotocol(undefined, SERVED), "");
    assert.equal(chooseSubprotocol("chat", undefined), "");
  });

  it("must have a name that is valid in a header", () => {
    checkSubprotocols("subprotocols", []);
    checkSubprotocols("subprotocols", SERVED);
    for (const [given, got] of [
      ["chat", '"chat"'],
      [null, "null"],
      [["a", "b c"], '"b c"'],
      [["a,b"], '"a,b"'],
      [[""], '""'],
      [["a\r\nb"], '"a\\r\\nb"'],
      [["a", 1], "1"],
      [[undefined], "undefined"],
    ] as const) {
      assert.throws(() => checkSubprotocols("subprotocols of /s", given), {
        code: "SIM_ERR_DEFINITION_INVALID",
        message: `subprotocols of /s must be a list of names without blanks, got ${got}`,
      });
    }
  });
});
