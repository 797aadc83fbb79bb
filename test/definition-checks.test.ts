import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  checkBoolean,
  checkCallbacks,
  checkChoice,
  checkCount,
  checkFunction,
  checkKeys,
  checkLiteralKeys,
  checkObject,
  checkPath,
  invalidOption,
  shown,
} from "../src/definition-checks.ts";

function call(): void {}

function refused(check: () => void, message: string): void {
  assert.throws(check, { name: "TypeError", code: "SIM_ERR_DEFINITION_INVALID", message });
}

describe("checks of definitions", () => {
  it("refuse unknown keys of a literal, and accept those of an instance", () => {
    class Room {
      readonly helper = 1;
    }
    checkLiteralKeys("room", new Room(), ["join"]);
    const bare = Object.assign(Object.create(null) as object, { helper: 1 });
    for (const literal of [{ helper: 1 }, bare]) {
      const check = (): void => checkLiteralKeys("room", literal, ["join"]);
      refused(check, "room may only have the keys join, got helper");
    }
    refused(() => checkLiteralKeys("room", null, ["join"]), "room must be an object, got null");
  });

  it("accept what is right", () => {
    checkObject("x", {});
    checkKeys("x", { a: 1 }, ["a", "b"]);
    checkFunction("x", call);
    checkCallbacks({ a: call, c: 5 }, { required: ["a"], optional: ["b"] });
    checkChoice("x", false, ["on", false]);
    checkBoolean("x", true);
    checkCount("x", 1, 5, "things");
    checkCount("x", 5, 5, "things");
    checkPath("x", "/");
  });

  it("name the subject, the rule and what they got", () => {
    refused(() => checkObject("sockets", null), "sockets must be an object, got null");
    refused(() => checkObject("rate", [], "{ limit }"), "rate must be { limit }, got array");
    refused(
      () => checkKeys("mount", { c: 1, d: 2 }, ["a", "b"]),
      "mount may only have the keys a, b, got c, d",
    );
    refused(() => checkKeys("mount", "x", ["a"]), "mount must be an object, got string");
    refused(
      () => checkKeys("mount", { shrads: 1 }, ["path", "shards"]),
      "mount may only have the keys path, shards, got shrads; did you mean shards?",
    );
    refused(() => checkFunction("join", null), "join must be a function, got null");
    refused(
      () => checkChoice("slow", "x", ["a", "b", false]),
      'slow must be "a", "b" or false, got "x"',
    );
    refused(() => checkChoice("keys", 1, ["any"]), 'keys must be "any", got 1');
    refused(() => checkBoolean("on", "yes"), 'on must be true or false, got "yes"');
    refused(() => checkPath("path", "ws"), 'path must start with /, got "ws"');
    refused(() => checkPath("path", undefined), "path must start with /, got undefined");
    for (const path of ["/a?b", "/a#b", "/a b", "/bücher", "/a\n"]) {
      refused(
        () => checkPath("path", path),
        `path must be ASCII without blanks, ? and #, got ${JSON.stringify(path)}`,
      );
    }
    checkPath("path", "/a%20b/:c/*");
  });

  it("refuse a count that is no integer, or out of its range", () => {
    for (const value of [0, 6, 1.5, NaN, Infinity, "5", 5n, null]) {
      refused(
        () => checkCount("queue", value, 5, "broadcasts"),
        `queue must be an integer from 1 to 5 (broadcasts), got ${shown(value)}`,
      );
    }
  });

  it("demand required callbacks, and take undefined for optional ones", () => {
    const names = { required: ["join"], optional: ["init"] };
    refused(() => checkCallbacks({}, names), "join must be a function, got undefined");
    refused(
      () => checkCallbacks({ join: call, init: 5 }, { ...names, owner: "presence chat" }),
      "init of presence chat must be a function, got number",
    );
    checkCallbacks({ join: call, init: undefined }, names);
  });

  it("make the errors of options with their own code and a cause", () => {
    const cause = new Error("because");
    const error = invalidOption("maxAgeMs must be a number (ms), got text", { cause });
    assert.deepEqual([error.code, error.cause], ["SIM_ERR_OPTION_INVALID", cause]);
  });
});
