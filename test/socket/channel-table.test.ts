import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import type { Channel } from "../../src/channel/channel.ts";
import { ChannelTable } from "../../src/socket/channel-table.ts";

function makeChannel(topic: string): Channel {
  return { topic } as unknown as Channel;
}

describe("the table of a connection's channels", () => {
  for (const count of [0, 1, 8, 9, 40]) {
    it(`finds each of ${count}, and none that is not there`, () => {
      const table = new ChannelTable();
      const channels = Array.from({ length: count }, (_, n) => makeChannel(`t${n}`));
      for (const channel of channels) table.add(channel);
      assert.equal(table.size, count);
      for (const channel of channels) assert.equal(table.get(channel.topic), channel);
      for (const topic of ["t", "t99", "constructor", "__proto__"]) {
        assert.equal(table.get(topic), undefined);
      }
      assert.deepEqual(table.all(), channels);
    });

    it(`gives all of ${count} as they are, also while they are removed`, () => {
      const table = new ChannelTable();
      const channels = Array.from({ length: count }, (_, n) => makeChannel(`t${n}`));
      for (const channel of channels) table.add(channel);
      for (const channel of table.all()) assert.ok(table.remove(channel));
      assert.equal(table.size, 0);
    });

    it(`removes none of ${count} for another channel of the same topic`, () => {
      const table = new ChannelTable();
      for (let n = 0; n < count; n += 1) table.add(makeChannel(`t${n}`));
      assert.equal(table.remove(makeChannel("t0")), false);
      assert.equal(table.remove(makeChannel("other")), false);
      assert.equal(table.size, count);
    });
  }

  it("behaves as a map does", () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 11 })), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(steps, (given) => {
        const table = new ChannelTable();
        const model = new Map<string, Channel>();
        for (const [isAdd, n] of given) {
          const topic = `t${n}`;
          const known = model.get(topic);
          if (isAdd && !known) {
            const made = makeChannel(topic);
            table.add(made);
            model.set(topic, made);
          } else if (!isAdd && known) {
            assert.ok(table.remove(known));
            model.delete(topic);
          }
          assert.equal(table.size, model.size);
          for (const [each, channel] of model) assert.equal(table.get(each), channel);
        }
        assert.deepEqual(new Set(table.all()), new Set(model.values()));
      }),
    );
  });
});
