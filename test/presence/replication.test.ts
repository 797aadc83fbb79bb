/**
 * Replicas over a simulated network, whose losses and delays each test controls: how they find each other,
 * agree, notice losses, and end.
 *
 * Runs on: the test's thread. Time passes only when a test advances it.
 */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";

import { PresenceNet, type PresenceShard } from "../support/presence-net.ts";

/** Interval at which the replicas of these tests send their changes. */
const PERIOD_MS = 1_000;
const GATHER_MS = 50;
/** Time until a long answer continues. */
const ANSWER_PAUSE_MS = 50;

let net: PresenceNet;

/** Lets time pass for timers and clocks, and delivers the messages that are sent. */
function pass(ms: number): void {
  net.nowMs += ms;
  mock.timers.tick(ms);
  net.deliver();
}

function statusesOf(shard: PresenceShard): string[] {
  return shard.log
    .filter(({ fields }) => "status" in fields)
    .map(
      ({ fields }) =>
        `${String(fields["node"])}${String(fields["member"])} ${String(fields["status"])}`,
    );
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  net = new PresenceNet();
});
afterEach(() => {
  for (const shard of net.shards) shard.tracker.close();
  mock.timers.reset();
});

describe("Shards of one node", () => {
  it("get each change at once", () => {
    const [one, two] = [net.start("a", 2), net.start("a", 3)];
    const owner = one.track("ann");
    net.deliver();
    assert.deepEqual(two.keys(), ["ann"]);
    assert.deepEqual(two.taken(), ["room +ann"]);
    one.tracker.update(owner, "room", "ann", { n: 1 });
    net.deliver();
    assert.deepEqual(two.taken(), ["room +ann -ann"]);
    one.tracker.ended(owner);
    net.deliver();
    assert.deepEqual(two.taken(), ["room -ann"]);
    assert.equal(two.tracked, 0);
  });

  it("have the same refs everywhere", () => {
    const [one, two] = [net.start("a", 2), net.start("a", 3)];
    one.track("ann");
    net.deliver();
    assert.deepEqual(two.metas("ann"), one.metas("ann"));
  });

  it("get what was tracked before they started, whichever started first", () => {
    const one = net.make("a", 2);
    one.track("early");
    one.tracker.start();
    one.track("ann");
    const two = net.make("a", 3);
    two.track("bob");
    two.tracker.start();
    net.deliver();
    assert.deepEqual(two.keys(), ["ann", "bob", "early"]);
    assert.deepEqual(one.keys(), ["ann", "bob", "early"]);
  });

  it("know each other from then on, even if neither has anything to send", () => {
    const [one, two] = [net.start("a", 2), net.start("a", 3)];
    two.track("bob");
    net.deliver();
    assert.deepEqual(one.keys(), ["bob"]);
    assert.deepEqual(statusesOf(one), ["a3 up"]);
    assert.deepEqual(statusesOf(two), ["a2 up"]);
  });

  it("miss nothing that is tracked while they meet", () => {
    const one = net.start("a", 2);
    const two = net.make("a", 3);
    two.tracker.start();
    // It knows no other shard yet, so it sends nothing.
    two.track("bob");
    one.track("ann");
    net.deliver();
    assert.deepEqual(
      [one.keys(), two.keys()],
      [
        ["ann", "bob"],
        ["ann", "bob"],
      ],
    );
  });

  it("send nothing to other threads if there are none", () => {
    const one = net.start("a", 2);
    net.taken();
    one.track("ann");
    assert.deepEqual(net.taken(), []);
  });

  it("ask for what they missed as soon as they notice it", () => {
    const [one, two] = [net.start("a", 2), net.start("a", 3)];
    net.copies = () => 0;
    const ann = one.track("ann");
    one.track("bob");
    net.copies = () => 1;
    net.taken();
    one.tracker.ended(ann);
    net.deliver();
    assert.deepEqual(two.keys(), ["bob"]);
    assert.deepEqual(net.taken(), ["a2>a3 delta", "a3>a2 request", "a2>a3 delta"]);
    assert.deepEqual(two.taken(), ["room +bob"]);
  });

  it("ask all others when PubSub reports a loss, at most four times a second", () => {
    const [one, two] = [net.start("a", 2), net.start("a", 3)];
    pass(PERIOD_MS);
    net.copies = () => 0;
    one.track("ann");
    net.copies = () => 1;
    two.miss();
    net.deliver();
    assert.deepEqual(two.keys(), ["ann"]);
    net.copies = () => 0;
    one.track("bob");
    net.copies = () => 1;
    two.miss();
    two.miss();
    net.deliver();
    assert.deepEqual(two.keys(), ["ann"]);
    pass(250);
    assert.deepEqual(two.keys(), ["ann", "bob"]);
  });

  it("send no answer to a replica that has everything", () => {
    const [one, two] = [net.start("a", 2), net.start("a", 3)];
    one.track("ann");
    net.deliver();
    pass(PERIOD_MS);
    net.taken();
    two.miss();
    net.deliver();
    assert.deepEqual(net.taken(), ["a3>a2 request", "a3>a3 request"]);
  });

  it("ask once while the answer is on its way, and again after a period", () => {
    const [one, two] = [net.start("a", 2), net.start("a", 3)];
    net.copies = ({ event, from }) => (event === "request" || from === two ? 0 : 1);
    const lose = (): void => {
      net.copies = () => 0;
      one.track("lost");
      net.copies = ({ event }) => (event === "request" ? 0 : 1);
    };
    lose();
    net.taken();
    for (const key of ["k1", "k2", "k3"]) one.track(key);
    net.deliver();
    const requests = (): number => net.taken().filter((one_) => one_.endsWith("request")).length;
    assert.equal(requests(), 1);
    net.copies = () => 1;
    pass(PERIOD_MS);
    assert.equal(requests(), 1);
    assert.deepEqual(two.keys(), ["k1", "k2", "k3", "lost"]);
  });

  it("send a large answer in parts, each of which is merged on its own", () => {
    const one = net.start("a", 2);
    const owners = Array.from({ length: 40 }, (_, at) =>
      one.track(`k${at}`, "room", { filler: "x".repeat(4_000) }),
    );
    one.tracker.ended(owners[3] as object);
    let parts = 0;
    net.copies = ({ event, from }) => {
      if (event !== "delta" || from !== one) return 1;
      parts += 1;
      // The second part is lost.
      return parts === 2 ? 0 : 1;
    };
    const two = net.start("a", 3);
    assert.ok(parts > 4, `${parts} parts`);
    assert.ok(two.keys().length > 20 && two.keys().length < 39, `${two.keys().length} keys`);
    // Parts whose loss was not noticed are requested at the end of the period.
    pass(PERIOD_MS);
    assert.deepEqual(two.keys(), one.keys());
    assert.equal(two.keys().length, 39);
  });

  it("send a large answer in portions and only once, and serve others in the meantime", () => {
    const [one, two] = [net.start("a", 2), net.start("a", 3)];
    for (let at = 0; at < 250; at += 1) one.track(`k${at}`, "hall", { filler: "x".repeat(4_000) });
    net.deliver();
    pass(PERIOD_MS);
    // Each of its requests arrives three times.
    net.copies = ({ event, to }) => (event === "request" && to === one ? 3 : 1);
    net.taken();
    const late = net.start("a", 4);
    const some = late.keys("hall").length;
    assert.ok(some > 50 && some < 200, `${some} keys at once`);
    net.copies = () => 0;
    one.track("lost");
    net.copies = () => 1;
    two.miss();
    net.deliver();
    pass(ANSWER_PAUSE_MS);
    assert.deepEqual(two.keys(), ["lost"]);
    assert.ok(late.keys("hall").length < 250, `${late.keys("hall").length} keys after a pause`);
    pass(ANSWER_PAUSE_MS);
    assert.deepEqual(late.keys("hall"), one.keys("hall"));
    const parts = net.taken().filter((sent) => sent === "a2>a4 delta").length;
    assert.ok(parts > 30 && parts < 40, `${parts} parts`);
  });

  it("send older changes too if a replica turns out to lack them during an answer", () => {
    const [one, knowing] = [net.start("a", 2), net.start("b", 2)];
    one.track("early");
    pass(PERIOD_MS);
    for (let at = 0; at < 250; at += 1) one.track(`k${at}`, "room", { filler: "x".repeat(4_000) });
    knowing.miss();
    net.deliver();
    pass(GATHER_MS);
    const some = knowing.keys().length;
    assert.ok(some > 50 && some < 200, `${some} keys at first`);
    const beginning = net.start("b", 3);
    for (let turn = 0; turn < 4; turn += 1) pass(GATHER_MS);
    assert.equal(one.keys().length, 251);
    assert.deepEqual([knowing.keys(), beginning.keys()], [one.keys(), one.keys()]);
  });

  it("send no answers after they have ended", () => {
    const one = net.start("a", 2);
    for (let at = 0; at < 250; at += 1) one.track(`k${at}`, "room", { filler: "x".repeat(4_000) });
    const two = net.start("a", 3);
    net.taken();
    one.tracker.close();
    pass(ANSWER_PAUSE_MS);
    assert.ok(two.keys().length < 200);
    assert.deepEqual(net.taken(), []);
  });

  it("drop a thread's presences at once when main retires it, and tell other nodes", () => {
    const [one, two, far] = [net.start("a", 2), net.start("a", 3), net.start("b", 2)];
    one.track("ann");
    net.deliver();
    pass(PERIOD_MS);
    assert.deepEqual(far.keys(), ["ann"]);
    net.kill(one);
    two.retire(2);
    net.deliver();
    assert.deepEqual([two.keys(), far.keys()], [[], []]);
    assert.equal(two.taken().at(-1), "room -ann");
    two.retire(2);
    two.retire(7);
  });

  it("ignore all late messages of a replica that is gone", () => {
    const [one, two, far] = [net.start("a", 2), net.start("a", 3), net.start("b", 2)];
    one.track("ann");
    pass(PERIOD_MS);
    one.track("late");
    mock.timers.tick(PERIOD_MS);
    const late = net.packets.splice(0);
    net.kill(one);
    two.retire(2);
    net.deliver();
    net.packets.push(...late);
    net.deliver();
    assert.deepEqual([two.keys(), far.keys()], [[], []]);
    // The number is given to another thread.
    const next = net.start("a", 2);
    next.track("bob");
    net.deliver();
    assert.deepEqual(two.keys(), ["bob"]);
  });
});

describe("Shards of several nodes", () => {
  it("get the changes of a period together, after it", () => {
    const [one, far] = [net.start("a", 2), net.start("b", 2)];
    pass(PERIOD_MS);
    const owner = one.track("ann");
    one.track("bob");
    one.track("hid", "hall");
    one.tracker.ended(owner);
    net.deliver();
    assert.deepEqual(far.taken(), []);
    net.taken();
    pass(PERIOD_MS);
    assert.deepEqual(
      net.taken().filter((sent) => sent.startsWith("a2")),
      ["a2>b2 delta"],
    );
    assert.deepEqual(far.taken(), ["room +bob", "hall +hid"]);
    pass(PERIOD_MS);
    assert.deepEqual(
      net.taken().filter((sent) => sent.startsWith("a2")),
      [],
    );
  });

  it("send a heartbeat after maxSilentPeriods without changes", () => {
    net.start("a", 2, { maxSilentPeriods: 3 });
    net.start("b", 2);
    pass(PERIOD_MS);
    net.taken();
    const said = Array.from({ length: 9 }, () => {
      pass(PERIOD_MS);
      return net.taken().filter((sent) => sent === "a2>b2 delta").length;
    });
    // Its first period ended with one.
    assert.deepEqual(said, [0, 0, 0, 1, 0, 0, 0, 1, 0]);
  });

  it("answer all threads of a node that start at the same time with one answer", () => {
    const near = [net.start("a", 2), net.start("a", 3)];
    for (const shard of near) shard.track(`of ${shard.place}`);
    net.deliver();
    pass(PERIOD_MS);
    const far = [2, 3, 4].map((member) => net.make("b", member));
    net.taken();
    for (const shard of far) shard.tracker.start();
    net.deliver();
    pass(GATHER_MS);
    for (const shard of far) assert.deepEqual(shard.keys(), ["of a2", "of a3"]);
    const answers = net.taken().filter((sent) => /^a\d>b\d delta$/.test(sent));
    assert.equal(
      answers.length,
      near.length * far.length,
      "more than one for each thread and asker",
    );
  });

  it("answer a thread that starts just after others of its node were answered", () => {
    const near = net.start("a", 2);
    near.track("ann");
    const names = Array.from({ length: 20 }, (_, at) => `n${at}`);
    const first = names.map((name) => net.start(name, 2));
    pass(GATHER_MS);
    for (const shard of first) assert.deepEqual(shard.keys(), ["ann"]);
    const second = names.map((name) => net.start(name, 3));
    pass(GATHER_MS);
    for (const shard of second) assert.deepEqual(shard.keys(), ["ann"]);
  });

  it("answer all threads of a node with everything that the one furthest behind lacks", () => {
    const near = net.start("a", 2);
    const [knowing, late] = [net.start("b", 2), net.make("b", 3)];
    near.track("ann");
    pass(PERIOD_MS);
    near.track("bob");
    late.tracker.start();
    knowing.miss();
    net.deliver();
    pass(GATHER_MS);
    assert.deepEqual(
      [knowing.keys(), late.keys()],
      [
        ["ann", "bob"],
        ["ann", "bob"],
      ],
    );
  });

  it("hide a node that is silent, and show it again after its next message", () => {
    const options = { downPeriodMs: 5_000, permdownPeriodMs: 60_000, maxSilentPeriods: 1 };
    const [here, far] = [net.start("a", 2, options), net.start("b", 2, options)];
    far.track("ann");
    pass(PERIOD_MS);
    assert.deepEqual(here.taken(), ["room +ann"]);
    net.copies = ({ from, to }) => (from.node === to.node ? 1 : 0);
    for (let period = 0; period < 8; period += 1) pass(PERIOD_MS);
    assert.deepEqual([here.keys(), here.taken()], [[], ["room -ann"]]);
    far.track("bob");
    pass(PERIOD_MS);
    net.copies = () => 1;
    for (let period = 0; period < 3; period += 1) pass(PERIOD_MS);
    pass(GATHER_MS);
    assert.deepEqual(here.keys(), ["ann", "bob"]);
    assert.deepEqual(here.taken(), ["room +ann", "room +bob"]);
    assert.deepEqual(statusesOf(here), ["b2 up", "b2 down", "b2 up"]);
  });

  it("forget a node that is silent for too long, and ask it for everything when it is back", () => {
    const options = { downPeriodMs: 2_000, permdownPeriodMs: 4_000, maxSilentPeriods: 1 };
    const [here, far] = [net.start("a", 2, options), net.start("b", 2, options)];
    far.track("ann");
    pass(PERIOD_MS);
    net.copies = ({ from, to }) => (from.node === to.node ? 1 : 0);
    for (let period = 0; period < 8; period += 1) pass(PERIOD_MS);
    assert.deepEqual(statusesOf(here), ["b2 up", "b2 down", "b2 permdown"]);
    net.copies = () => 1;
    for (let period = 0; period < 3; period += 1) pass(PERIOD_MS);
    pass(GATHER_MS);
    assert.deepEqual(here.keys(), ["ann"]);
  });

  it("do not treat others as silent after they were blocked themselves", () => {
    const options = { downPeriodMs: 3_000, maxSilentPeriods: 1 };
    const [here, far] = [net.start("a", 2, options), net.start("b", 2, options)];
    far.track("ann");
    pass(PERIOD_MS);
    pass(PERIOD_MS);
    // Its loop was blocked: messages from that time wait, and its timer is late.
    net.nowMs += 20_000;
    mock.timers.tick(PERIOD_MS);
    assert.deepEqual(here.keys(), ["ann"]);
    net.deliver();
    assert.deepEqual(statusesOf(here), ["b2 up"]);
  });

  it("notice silence in time, even if they were blocked just after the last message", () => {
    const options = { downPeriodMs: 3_000, maxSilentPeriods: 1 };
    const [here, far] = [net.start("a", 2, options), net.start("b", 2, options)];
    far.track("ann");
    pass(PERIOD_MS);
    // What arrived while its loop was blocked is read before its timer fires.
    net.nowMs += 20_000;
    far.miss();
    net.deliver();
    net.kill(far);
    for (let period = 0; period < 5; period += 1) pass(PERIOD_MS);
    assert.deepEqual(here.keys(), []);
  });

  it("treat another start of a shard as another replica", () => {
    const [here, far] = [net.start("a", 2), net.start("b", 2)];
    far.track("ann");
    pass(PERIOD_MS);
    net.kill(far);
    const again = net.start("b", 2);
    assert.deepEqual([here.keys(), here.taken()], [[], ["room +ann", "room -ann"]]);
    again.track("bob");
    pass(PERIOD_MS);
    pass(GATHER_MS);
    assert.deepEqual(here.keys(), ["bob"]);
  });

  it("agree after any loss, once the network works again and periods pass", () => {
    const shards = [net.start("a", 2), net.start("a", 3), net.start("b", 2), net.start("c", 2)];
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    const owners: [PresenceShard, object][] = [];
    for (let step = 0; step < 400; step += 1) {
      net.copies = () => random(4);
      const shard = shards[random(shards.length)] as PresenceShard;
      if (random(3) > 0 || owners.length === 0) owners.push([shard, shard.track(`k${random(20)}`)]);
      else {
        const [[whose, owner] = [shard, {}]] = owners.splice(random(owners.length), 1);
        whose.tracker.ended(owner);
      }
      if (random(5) === 0) shard.miss();
      // Shuffle the messages.
      net.packets.sort(() => random(3) - 1);
      for (let count = random(4); count > 0; count -= 1) {
        const packet = net.packets.shift();
        packet?.to.receive(packet);
      }
      if (random(20) === 0) pass(PERIOD_MS);
    }
    net.copies = () => 1;
    for (let period = 0; period < 30; period += 1) pass(PERIOD_MS);
    const [first, ...others] = shards.map((shard) => shard.keys());
    assert.equal(first?.length, owners.length);
    for (const other of others) assert.deepEqual(other, first);
  });
});

describe("A shard that shuts down", () => {
  it("says that it will not come back if it has no rows left", () => {
    const [here, far] = [net.start("a", 2), net.start("b", 2)];
    const owner = here.track("ann");
    pass(PERIOD_MS);
    here.tracker.ended(owner);
    here.tracker.stop();
    net.deliver();
    assert.deepEqual(far.taken(), ["room +ann", "room -ann"]);
    assert.deepEqual(statusesOf(far), ["a2 up", "a2 permdown"]);
  });

  it("leaves rows that have not ended, until others count it as down", () => {
    const options = { downPeriodMs: 5_000, maxSilentPeriods: 1 };
    const [here, far] = [net.start("a", 2, options), net.start("b", 2, options)];
    here.track("service");
    here.tracker.stop();
    net.kill(here);
    net.deliver();
    assert.deepEqual(far.keys(), ["service"]);
    for (let period = 0; period < 8; period += 1) pass(PERIOD_MS);
    assert.deepEqual(far.keys(), []);
  });

  it("removes them with permdownOnShutdown, and with gracefulPermdown at any time", () => {
    const here = net.start("a", 2, { permdownOnShutdown: true });
    const [near, far] = [net.start("a", 3), net.start("b", 2)];
    here.track("service");
    near.track("other");
    pass(PERIOD_MS);
    here.tracker.stop();
    net.deliver();
    assert.deepEqual([near.keys(), far.keys()], [["other"], ["other"]]);
    near.tracker.gracefulPermdown();
    near.tracker.gracefulPermdown();
    net.deliver();
    assert.deepEqual(far.keys(), []);
  });

  it("handles no more messages, and sends none", () => {
    const [here, near] = [net.start("a", 2), net.start("a", 3)];
    const owner = here.track("ann");
    here.tracker.close();
    net.deliver();
    net.taken();
    here.tracker.ended(owner);
    near.track("bob");
    net.deliver();
    pass(20 * PERIOD_MS);
    assert.deepEqual(
      net.taken().filter((sent) => sent.startsWith("a2")),
      [],
    );
    assert.deepEqual(here.keys(), []);
  });
});
