import assert from "node:assert/strict";
import { describe, it } from "node:test";

import * as fc from "fast-check";

import type { Channel } from "../../src/channel/channel.ts";
import {
  countChannels,
  findChannel,
  listChannels,
  NO_CHANNELS,
  someChannel,
  withChannel,
  withoutChannel,
} from "../../src/socket/channel-table.ts";

function makeChannel(topic: string): Channel {
  return { topic } as unknown as Channel;
}

describe("the table of a connection's channels", () => {
  for (const count of [0, 1, 8, 9, 40]) {
    it(`finds each of ${count} channels, and no other`, () => {
      let table = NO_CHANNELS;
      const channels = Array.from({ length: count }, (_, n) => makeChannel(`t${n}`));
      for (const channel of channels) table = withChannel(table, channel);
      assert.equal(countChannels(table), count);
      for (const channel of channels) assert.equal(findChannel(table, channel.topic), channel);
      for (const topic of ["t", "t99", "constructor", "__proto__"]) {
        assert.equal(findChannel(table, topic), undefined);
      }
      assert.deepEqual(listChannels(table), channels);
    });

    it(`lists all of ${count} channels, and the list stays valid while they are removed`, () => {
      let table = NO_CHANNELS;
      const channels = Array.from({ length: count }, (_, n) => makeChannel(`t${n}`));
      for (const channel of channels) table = withChannel(table, channel);
      for (const channel of listChannels(table)) table = withoutChannel(table, channel);
      assert.equal(countChannels(table), 0);
    });

    it(`reports whether one of ${count} channels matches`, () => {
      let table = NO_CHANNELS;
      for (let n = 0; n < count; n += 1) table = withChannel(table, makeChannel(`t${n}`));
      assert.equal(
        someChannel(table, ({ topic }) => topic === "t0"),
        count > 0,
      );
      assert.equal(
        someChannel(table, ({ topic }) => topic === "t40"),
        false,
      );
    });

    it(`keeps a channel of ${count} if another one with the same topic is removed`, () => {
      let table = NO_CHANNELS;
      for (let n = 0; n < count; n += 1) table = withChannel(table, makeChannel(`t${n}`));
      const before = listChannels(table);
      for (const topic of ["t0", "other"]) table = withoutChannel(table, makeChannel(topic));
      assert.deepEqual(listChannels(table), before);
      assert.equal(countChannels(table), count);
    });
  }

  it("behaves like a Map", () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 11 })), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(steps, (given) => {
        let table = NO_CHANNELS;
        const model = new Map<string, Channel>();
        for (const [isAdd, n] of given) {
          const topic = `t${n}`;
          const known = model.get(topic);
          if (isAdd && !known) {
            const made = makeChannel(topic);
            table = withChannel(table, made);
            model.set(topic, made);
          } else if (!isAdd && known) {
            table = withoutChannel(table, known);
            model.delete(topic);
          }
          assert.equal(countChannels(table), model.size);
          for (const [each, channel] of model) assert.equal(findChannel(table, each), channel);
        }
        assert.deepEqual(new Set(listChannels(table)), new Set(model.values()));
      }),
    );
  });
});
