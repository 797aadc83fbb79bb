/**
 * The options of a source.
 *
 * Runs on: the test's thread.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { postgresSource } from "../../../src/postgres/index.ts";
import { settingsOf } from "../../../src/postgres/source/options.ts";

const map = (): undefined => undefined;
const GOOD = { by: "triggers", tables: { "public.orders": { map } } } as const;

function message(options: object): string {
  try {
    postgresSource({ ...GOOD, ...options });
  } catch (error) {
    const { code, message: text } = error as { code: string; message: string };
    return `${code}: ${text}`;
  }
  return "no error";
}

describe("The options of a source", () => {
  it("have defaults", () => {
    assert.equal(postgresSource(GOOD).name, "postgres_source");
    const settings = settingsOf({ ...GOOD, name: "shop" }, {});
    assert.deepEqual(
      [settings.slot, settings.publication, settings.lostSlot, settings.address.schema],
      ["simurgh_shop", "simurgh_shop", "error", "simurgh"],
    );
    const table = settings.tables.get("public.orders");
    assert.deepEqual(
      [table?.schema, table?.table, [...(table?.when ?? [])], table?.needsOld],
      ["public", "orders", ["insert", "update", "delete"], false],
    );
  });

  it("may have one map for all tables", () => {
    const settings = settingsOf({ by: "replication", map, tables: { "a.b": {} } }, {});
    assert.equal(settings.tables.get("a.b")?.map, map);
  });

  it("are refused with the reason", () => {
    const code = "SIM_ERR_DEFINITION_INVALID: ";
    const orders = 'tables["public.orders"]';
    const cases: readonly (readonly [object, string])[] = [
      [{ by: "magic" }, 'by must be "triggers" or "replication", got "magic"'],
      [{ name: "Shop" }, 'name must be at most 40 lower-case letters, digits and _, got "Shop"'],
      [{ tables: {} }, "tables must name at least one table, got none"],
      [
        { tables: { orders: { map } } },
        'tables must have names with schema such as public.orders, got "orders"',
      ],
      [
        { tables: { "public.orders": {} } },
        `${orders}.map, or map of the source, must be a function, got undefined`,
      ],
      [
        { tables: { "public.orders": { map, when: ["upsert"] } } },
        `${orders}.when must be "insert", "update", "delete" or "truncate", got "upsert"`,
      ],
      [
        { tables: { "public.orders": { map, columns: [] } } },
        `${orders}.columns must be an array of at least one name, got array`,
      ],
      [{ pollMs: 5 }, "pollMs must be an integer from 10 to 60000 (ms), got 5"],
      [{ retainMs: -1 }, "retainMs must be an integer from 0 to 2592000000 (ms), got -1"],
      [{ slot: "a b" }, 'slot must be at most 63 lower-case letters, digits and _, got "a b"'],
      [{ publication: "" }, 'publication must be a name of at most 63 bytes, got ""'],
      [{ lostSlot: "ignore" }, 'lostSlot must be "error" or "recreate", got "ignore"'],
      [{ onError: true }, "onError must be a function, got boolean"],
    ];
    for (const [options, expected] of cases) assert.equal(message(options), code + expected);
    assert.match(
      message({ tabels: {} }),
      /postgresSource may only have the keys .*; did you mean tables\?$/,
    );
    assert.match(message({ url: "http://x" }), /^SIM_ERR_OPTION_INVALID: url must be a URL/);
    assert.equal(message({ retainMs: 0, name: "shop" }), "no error");
  });
});
