/**
 * An app that sends numbers in every way in which a channel can send.
 *
 * Runs on: every shard, which loads it by its URL.
 */
import { defineChannel, defineEndpoint, defineSocket, ok, reply } from "../../src/index.ts";

/** Longer than the windows of the tests. */
const AFTER_WINDOW_MS = 50;

/** Values of the flag in the host's data. */
export const SPINS = { isHeld: 1, isReleased: 2 };

const socket = defineSocket({ connect: () => ok({}) });

/** A request for consecutive numbers from `first`, with one for each size of filler. */
interface Numbers {
  readonly first: number;
  readonly sizes: readonly number[];
}

function payloads({ first, sizes }: Numbers): { n: number; filler: string }[] {
  return sizes.map((bytes, at) => ({ n: first + at, filler: "x".repeat(bytes) }));
}

function bytesOf(n: number, length: number): Uint8Array {
  const bytes = new Uint8Array(4 + length);
  new DataView(bytes.buffer).setInt32(0, n);
  return bytes;
}

const room = defineChannel(socket, {
  join: (channel) => ok({ shard: channel.shard }),
  handleIn: {
    broadcast(channel, numbers: Numbers) {
      for (const payload of payloads(numbers)) channel.broadcast("n", payload);
      return reply("ok");
    },
    /** Sends every second number to the other clients only. */
    broadcast_from(channel, numbers: Numbers) {
      for (const payload of payloads(numbers)) {
        if (payload.n % 2 === 0) channel.broadcastFrom("n", payload);
        else channel.broadcast("n", payload);
      }
      return reply("ok");
    },
    /** Sends three numbers to its own client; the second one goes to all other clients too. */
    async mixed(channel, { n, isAsync }: { n: number; isAsync: boolean }) {
      channel.push("n", { n });
      if (isAsync) await Promise.resolve();
      channel.broadcast("n", { n: n + 1 });
      channel.push("n", { n: n + 2 });
      return reply("ok", { n: n + 3 });
    },
    mixed_now(channel, { n }: { n: number }) {
      channel.push("n", { n });
      channel.broadcast("n", { n: n + 1 });
      channel.push("n", { n: n + 2 });
      return reply("ok", { n: n + 3 });
    },
    /** Sends odd numbers as bytes, which begin with the number, and even ones as JSON. */
    broadcast_bytes(channel, numbers: Numbers) {
      for (const { n, filler } of payloads(numbers)) {
        if (n % 2 === 0) channel.broadcast("n", { n, filler });
        else channel.broadcast("n", bytesOf(n, filler.length));
      }
    },
    mixed_bytes(channel, { n }: { n: number }) {
      channel.push("n", bytesOf(n, 0));
      channel.broadcast("n", { n: n + 1 });
      channel.push("n", { n: n + 2 });
      channel.broadcast("n", bytesOf(n + 3, 5_000));
      return reply("ok", bytesOf(n + 4, 0));
    },
    /** Announces it, and blocks the shard's loop once no window can hold the announcement any more. */
    spin(channel, { ms }: { ms: number }) {
      channel.broadcast("spins", {});
      channel.sendAfter(AFTER_WINDOW_MS, ms);
    },
  },
  /** Blocks the loop for at most `ms`. The flag in the host's data reports the start, and can end it. */
  handleInfo({ context }, ms) {
    const { spins } = context.data as { spins: SharedArrayBuffer };
    const flag = new Int32Array(spins);
    Atomics.store(flag, 0, SPINS.isHeld);
    Atomics.notify(flag, 0);
    Atomics.wait(flag, 0, SPINS.isHeld, ms as number);
  },
});

export default defineEndpoint({
  sockets: { "/socket": { socket, channels: { "room:*": room } } },
});
