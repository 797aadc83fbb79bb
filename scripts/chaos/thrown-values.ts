/**
 * Values that code throws, or can be made to throw, and that code which reports them must survive.
 *
 * Runs on: any thread.
 */

/** Each throws, so that the values need not be made where they are not thrown. */
const THROWN = {
  undefined: () => undefined,
  null: () => null,
  number: () => 42,
  symbol: () => Symbol("thrown"),
  function: () => () => 1,
  object: () => ({ reason: "an object" }),
  bare: () => Object.create(null) as object,
  frozen: () => Object.freeze(new Error("frozen")),
  error: () => new Error("an error", { cause: new Error("its cause") }),
  aggregate: () => new AggregateError([new Error("first"), null, { second: 2 }], "several"),
  circular: () => {
    const error = new Error("circular");
    return Object.assign(error, { cause: error });
  },
  endless: () => {
    const error = new Error("endless causes");
    let last = error;
    for (let depth = 0; depth < 10_000; depth++) {
      const cause = new Error("a cause");
      last.cause = cause;
      last = cause;
    }
    return error;
  },
  long: () => new Error("x".repeat(10_000_000)),
  getter: () => throwing("message"),
  stack: () => throwing("stack"),
  code: () => throwing("code"),
  cause: () => throwing("cause"),
  name: () => throwing("name"),
  string: () => ({ toString: () => refuse(), [Symbol.toPrimitive]: () => refuse() }),
  json: () => ({ toJSON: () => refuse() }),
  thenable: () => throwing("then"),
  bigint: () => ({ big: 10n ** 30n }),
  proxy: () => new Proxy({}, REFUSING),
  revoked: () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
} as const satisfies Record<string, () => unknown>;

/** Name of a value. */
export type ThrownName = keyof typeof THROWN;

/** Names of all values. */
export const THROWN_NAMES = Object.keys(THROWN) as readonly ThrownName[];

/** Throws a value. */
export function throwValue(name: ThrownName): never {
  // oxlint-disable-next-line typescript/only-throw-error -- what users throw is not always an error
  throw THROWN[name]();
}

const REFUSING: ProxyHandler<object> = {
  get: () => refuse(),
  has: () => refuse(),
  ownKeys: () => refuse(),
  getPrototypeOf: () => refuse(),
  getOwnPropertyDescriptor: () => refuse(),
};

function refuse(): never {
  throw new Error("this value does not want to be read");
}

function throwing(property: string): Error {
  return Object.defineProperty(new Error("an error"), property, { get: refuse });
}
