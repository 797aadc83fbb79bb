/**
 * Where the database is, and the options of the transport.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { addressOf } from "../../src/postgres/address.ts";
import { settingsOf } from "../../src/postgres/transport/options.ts";

describe("the address of a database", () => {
  it("is an option, or a variable, or left to the variables of PostgreSQL's programs", () => {
    const environment = { SIMURGH_POSTGRES_URL: "postgresql://db.example/app", PGHOST: "pg" };
    const url = "postgres://ann:secret@localhost:6432/app?sslmode=require";
    assert.deepEqual(addressOf({ url }, environment), {
      url,
      schema: "simurgh",
      shown: "localhost:6432/app",
    });
    assert.equal(addressOf({}, environment).shown, "db.example/app");
    assert.deepEqual(addressOf({ schema: "live" }, { PGHOST: "pg", PGPORT: "6000" }), {
      url: undefined,
      schema: "live",
      shown: "pg:6000",
    });
    assert.equal(addressOf({ url: "postgres:///app?host=/run/pg" }, {}).shown, "/run/pg/app");
  });

  it("is refused without showing it, since it may contain a password", () => {
    const message =
      /^url must be a URL such as postgres:\/\/.*, got (?:the scheme mysql:|an invalid URL)$/;
    for (const url of ["mysql://ann:secret@localhost/app", "secret"]) {
      assert.throws(() => addressOf({ url }, {}), { code: "SIM_ERR_OPTION_INVALID", message });
    }
    for (const schema of ["", "A", "a b", 'a"', "a".repeat(33)]) {
      assert.throws(() => addressOf({ schema }, {}), /^TypeError.*: schema must be at most 32/);
    }
  });
});

describe("the options of postgresTransport", () => {
  it("have defaults, except for the path", () => {
    const settings = settingsOf({ path: "/socket" });
    assert.deepEqual([settings.paths, settings.leaseMs], [["/socket"], 15_000]);
    assert.deepEqual(settingsOf({ path: ["/a", "/b"], leaseMs: 2_000 }).paths, ["/a", "/b"]);
  });

  it("are checked", () => {
    const wrong = [
      [{}, "path must be a path that starts with /, or a list of such, got undefined"],
      [{ path: [] }, /^path must be/],
      [{ path: "socket" }, /^path must be .*, got "socket"$/],
      [
        { path: "/socket", leaseMs: 999 },
        "leaseMs must be an integer from 1000 to 600000 (ms), got 999",
      ],
      [{ path: "/socket", outboxRows: 0.5 }, /^outboxRows must be an integer from 1/],
      [{ path: "/socket", leaseMS: 1 }, /leaseMS; did you mean leaseMs\?$/],
    ] as const;
    for (const [options, message] of wrong) {
      assert.throws(() => settingsOf(options as never), {
        code: "SIM_ERR_DEFINITION_INVALID",
        message,
      });
    }
  });
});
