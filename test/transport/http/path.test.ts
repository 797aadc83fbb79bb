import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { HttpRequest } from "../../../src/transport/engine/engine-types.ts";
import { pathParams, spellingsOf, variablesOf } from "../../../src/transport/http/path.ts";

/** A request with the only method of the engine's that is called here. */
function requestWith(...values: (string | undefined)[]): HttpRequest {
  return { getParameter: (at: number) => values[at] } as unknown as HttpRequest;
}

describe("a path", () => {
  it("has the variables that start with a colon, in order", () => {
    assert.deepEqual(variablesOf("/socket/websocket"), []);
    assert.deepEqual(variablesOf("/org/:org/rooms/:id/websocket"), ["org", "id"]);
    assert.deepEqual(variablesOf("/:a/:_b/c:d"), ["a", "_b"]);
  });

  it("may be written with one slash too many, and is served under each spelling", () => {
    const socket = ["/socket/websocket", "/socket/websocket/", "/socket//websocket"];
    for (const path of socket) assert.deepEqual(spellingsOf(path), socket, path);
    assert.deepEqual(spellingsOf("/a/:b/ws"), ["/a/:b/ws", "/a/:b/ws/", "/a/:b//ws"]);
    assert.deepEqual(spellingsOf("/ws"), ["/ws", "/ws/", "//ws"]);
  });

  it("returns the values of its variables, decoded if possible", () => {
    const request = requestWith("a%20b", "%zz", "%C3%A9");
    assert.deepEqual(pathParams(request, ["one", "two", "three"]), {
      one: "a b",
      two: "%zz",
      three: "é",
    });
  });

  it("does not expose variables that start with an underscore", () => {
    assert.deepEqual(pathParams(requestWith("x", "y"), ["_hidden", "shown"]), { shown: "y" });
  });

  it("leaves out variables that the request does not have", () => {
    assert.deepEqual(pathParams(requestWith(), ["one"]), {});
  });
});
