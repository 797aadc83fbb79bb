import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { HttpRequest } from "../../../src/transport/engine/engine-types.ts";
import { pathParams, spellingsOf, variablesOf } from "../../../src/transport/http/path.ts";

/** The one call of the engine's request that is made here. */
function requestWith(...values: (string | undefined)[]): HttpRequest {
  return { getParameter: (at: number) => values[at] } as unknown as HttpRequest;
}

describe("a path", () => {
  it("has the variables that begin with a colon, in order", () => {
    assert.deepEqual(variablesOf("/socket/websocket"), []);
    assert.deepEqual(variablesOf("/org/:org/rooms/:id/websocket"), ["org", "id"]);
    assert.deepEqual(variablesOf("/:a/:_b/c:d"), ["a", "_b"]);
  });

  it("may be written with a slash too many, and is served at each", () => {
    const socket = ["/socket/websocket", "/socket/websocket/", "/socket//websocket"];
    for (const path of socket) assert.deepEqual(spellingsOf(path), socket, path);
    assert.deepEqual(spellingsOf("/a/:b/ws"), ["/a/:b/ws", "/a/:b/ws/", "/a/:b//ws"]);
    assert.deepEqual(spellingsOf("/ws"), ["/ws", "/ws/", "//ws"]);
  });

  it("gives the values of its variables, decoded where they can be", () => {
    const request = requestWith("a%20b", "%zz", "%C3%A9");
    assert.deepEqual(pathParams(request, ["one", "two", "three"]), {
      one: "a b",
      two: "%zz",
      three: "é",
    });
  });

  it("keeps variables that begin with an underscore to itself", () => {
    assert.deepEqual(pathParams(requestWith("x", "y"), ["_hidden", "shown"]), { shown: "y" });
  });

  it("leaves out what the request does not have", () => {
    assert.deepEqual(pathParams(requestWith(), ["one"]), {});
  });
});
