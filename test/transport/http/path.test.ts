import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { EngineRequest } from "../../../src/transport/engine/app-port.ts";
import {
  matchPath,
  pathParams,
  specificityOf,
  spellingsOf,
  variablesOf,
} from "../../../src/transport/http/path.ts";

/** A request with the only method of the engine's that is called here. */
function requestWith(...values: (string | undefined)[]): EngineRequest {
  return { getParameter: (at: number) => values[at] } as unknown as EngineRequest;
}

describe("a path", () => {
  it("has the variables that start with a colon, in order", () => {
    assert.deepEqual(variablesOf("/socket/websocket"), []);
    assert.deepEqual(variablesOf("/org/:org/rooms/:id/websocket"), ["org", "id"]);
    assert.deepEqual(variablesOf("/:a/:_b/c:d"), ["a", "_b"]);
  });

  it("may be written with doubled slashes, and is served under each spelling", () => {
    const socket = spellingsOf("/socket/websocket");
    assert.deepEqual(socket, [
      "/socket/websocket",
      "/socket/websocket/",
      "/socket/websocket//",
      "/socket//websocket",
      "/socket//websocket/",
      "/socket//websocket//",
      "//socket/websocket",
      "//socket/websocket/",
      "//socket/websocket//",
      "//socket//websocket",
      "//socket//websocket/",
      "//socket//websocket//",
    ]);
    for (const spelling of socket) assert.deepEqual(spellingsOf(spelling), socket);
    assert.deepEqual(spellingsOf("/:b").slice(0, 3), ["/:b", "/:b/", "/:b//"]);
  });

  it("of more than four segments is served with at most one doubled slash", () => {
    assert.equal(spellingsOf("/a/b/c/d").length, 16 * 3);
    const long = spellingsOf("/a/b/c/d/e");
    assert.equal(long.length, 6 * 3);
    assert.ok(long.includes("/a/b//c/d/e/"));
    assert.ok(!long.includes("//a/b//c/d/e"));
  });

  it("is matched whatever the number of its slashes", () => {
    assert.deepEqual(matchPath("/a/:b/c", "///a//x%20y/c//"), { b: "x y" });
    assert.deepEqual(matchPath("/", "//"), {});
    assert.deepEqual(matchPath("/files/*", "/files//a/b"), {});
    for (const other of ["/a/x", "/a/x/c/d", "/b/x/c", "/"]) {
      assert.equal(matchPath("/a/:b/c", other), undefined, other);
    }
    assert.equal(matchPath("/files/*", "/files"), undefined);
  });

  it("is the more specific, the earlier its names come", () => {
    const paths = ["/*", "/:a/b", "/a/*", "/a/b", "/a/:b", "/:a/:b", "/a/b/c"];
    const sorted = paths.toSorted((a, b) => (specificityOf(a) < specificityOf(b) ? -1 : 1));
    assert.deepEqual(sorted, ["/a/b", "/a/b/c", "/a/:b", "/a/*", "/:a/b", "/:a/:b", "/*"]);
  });

  it("returns the values of its variables, decoded if possible", () => {
    const request = requestWith("a%20b", "%zz%20", "%C3%A9", "%ff%20");
    assert.deepEqual(pathParams(request, ["one", "two", "three", "four"]), {
      one: "a b",
      two: "%zz ",
      three: "é",
      four: "%ff%20",
    });
  });

  it("does not expose variables that start with an underscore", () => {
    assert.deepEqual(pathParams(requestWith("x", "y"), ["_hidden", "shown"]), { shown: "y" });
  });

  it("leaves out variables that the request does not have", () => {
    assert.deepEqual(pathParams(requestWith(), ["one"]), {});
  });
});
