import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import { Mailbox } from "../../src/callbacks/mailbox.ts";

type Letter = { readonly kind: string; readonly message?: unknown };

function info(message: unknown): Letter {
  return { kind: "info", message };
}

describe("a mailbox", () => {
  it("returns letters in the order in which they were added", () => {
    const mailbox = new Mailbox<Letter>(3);
    for (const n of [1, 2, 3]) assert.ok(mailbox.tryPut(info(n)));
    assert.deepEqual([mailbox.take(), mailbox.take()], [info(1), info(2)]);
    assert.ok(mailbox.tryPut(info(4)));
    assert.deepEqual(
      [mailbox.take(), mailbox.take(), mailbox.take()],
      [info(3), info(4), undefined],
    );
  });

  it("refuses a letter at its bound, and has room again when one was taken", () => {
    const mailbox = new Mailbox<Letter>(2);
    assert.ok(mailbox.tryPut(info(1)) && mailbox.tryPut(info(2)));
    assert.equal(mailbox.tryPut(info(3)), false);
    assert.equal(mailbox.length, 2);
    mailbox.take();
    assert.ok(mailbox.tryPut(info(3)));
  });

  it("can drop the letters that have bytes, and keeps all others in order", () => {
    const mailbox = new Mailbox<Letter & { readonly bytes?: number }>(10);
    for (const n of [1, 2, 3, 4, 5])
      mailbox.tryPut(n % 2 === 0 ? info(n) : { ...info(n), bytes: n });
    mailbox.take();
    assert.equal(mailbox.bytes, 8);
    mailbox.dropCounted();
    assert.deepEqual([mailbox.bytes, mailbox.length], [0, 2]);
    assert.deepEqual(
      [mailbox.take(), mailbox.take(), mailbox.take()],
      [info(2), info(4), undefined],
    );
  });

  it("always has room for put, however many letters wait", () => {
    const mailbox = new Mailbox<Letter>(1);
    mailbox.tryPut(info(1));
    for (const kind of ["leave", "close", "missed"]) mailbox.put({ kind });
    assert.equal(mailbox.length, 4);
    assert.equal(mailbox.tryPut(info(2)), false);
    assert.deepEqual(
      Array.from({ length: 4 }, () => mailbox.take()?.kind),
      ["info", "leave", "close", "missed"],
    );
  });

  it("behaves like an array, however it is filled and emptied", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.boolean(), { maxLength: 600, size: "max" }),
        (bound, puts) => {
          const mailbox = new Mailbox<Letter>(bound);
          const model: Letter[] = [];
          for (const [n, isPut] of puts.entries()) {
            if (isPut) {
              const hasRoom = model.length < bound;
              assert.equal(mailbox.tryPut(info(n)), hasRoom);
              if (hasRoom) model.push(info(n));
            } else {
              assert.deepEqual(mailbox.take(), model.shift());
            }
            assert.equal(mailbox.length, model.length);
          }
        },
      ),
    );
  });

  it("releases letters that were taken, even if it is never empty", () => {
    const mailbox = new Mailbox<Letter>(1_000);
    const registry: WeakRef<object>[] = [];
    mailbox.tryPut(info("first"));
    for (let n = 0; n < 10_000; n += 1) {
      const message = { n };
      if (n % 1_000 === 0) registry.push(new WeakRef(message));
      mailbox.tryPut(info(message));
      mailbox.take();
    }
    assert.equal(mailbox.length, 1);
    assert.deepEqual(mailbox.take(), info({ n: 9_999 }));
    assert.equal(registry.length, 10);
  });
});
