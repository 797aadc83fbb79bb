/**
 * Values that user code may throw, reject with or return, and that are hard to handle.
 *
 * Runs on: any thread.
 */

import assert from "node:assert/strict";

const TRAPS = [
  "get",
  "has",
  "ownKeys",
  "getPrototypeOf",
  "getOwnPropertyDescriptor",
  "apply",
] as const;

function spring(): never {
  assert.fail("a trap");
}

/** A Proxy that throws whatever is asked of it. */
export function trapOf<Target extends object>(target: Target): Target {
  return new Proxy(target, Object.fromEntries(TRAPS.map((trap) => [trap, spring])));
}

/** A Proxy that is an instance of the class of its target, and throws when a property is read. */
export function unreadableOf<Target extends object>(target: Target): Target {
  return new Proxy(target, { get: spring });
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function deep(): Error {
  const error = new Error("deep");
  let at = error;
  for (let n = 0; n < 5_000; n += 1) {
    const cause = new Error(`cause ${n}`);
    at.cause = cause;
    at = cause;
  }
  return error;
}

function circular(): Error {
  const error: Error & { self?: unknown } = new Error("circular");
  error.cause = new AggregateError([error, new Error("other", { cause: error })]);
  error.self = error;
  return error;
}

function failing(name: string): Error {
  return Object.defineProperty(new Error("x"), name, { get: () => assert.fail("read") });
}

/** Values, each with a name. */
export const WHATEVER: readonly (readonly [name: string, value: unknown])[] = [
  ["undefined", undefined],
  ["null", null],
  ["a number", 42],
  ["a symbol", Symbol("s")],
  ["a function", () => 1],
  ["an object", { reason: "an object" }],
  ["an object without prototype", Object.create(null)],
  ["an object whose toString throws", { toString: () => assert.fail("asked") }],
  [
    "an object whose message throws",
    Object.defineProperty({}, "message", { get: () => assert.fail("read") }),
  ],
  ["an object with a bigint", { big: 10n ** 30n }],
  ["a Proxy whose traps throw", trapOf({})],
  ["a function Proxy whose traps throw", trapOf(() => 1)],
  ["a Proxy of an error whose traps throw", trapOf(new Error("x"))],
  ["a revoked Proxy", revoked()],
  ["a frozen error", Object.freeze(new Error("frozen"))],
  ["an error whose message throws", failing("message")],
  ["an error whose stack throws", failing("stack")],
  ["an error whose name throws", failing("name")],
  ["an error whose cause throws", failing("cause")],
  ["an error whose errors throw", failing("errors")],
  ["an error whose code throws", failing("code")],
  ["an error whose then throws", failing("then")],
  [
    "an error with a property that throws",
    Object.defineProperty(new Error("x"), "more", {
      get: () => assert.fail("read"),
      enumerable: true,
    }),
  ],
  ["an error with 5000 causes", deep()],
  ["an error that is its own cause", circular()],
  ["an error with a huge message", new Error("h".repeat(5_000_000))],
  [
    "an error that toJSON throws for",
    Object.assign(new Error("x"), { toJSON: () => assert.fail("asked") }),
  ],
  ["an AggregateError of anything", new AggregateError([null, trapOf({}), new Error("x")])],
];
