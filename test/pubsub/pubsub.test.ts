import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { Dispatcher } from "../../src/pubsub/dispatcher.ts";
import type { Broadcast } from "../../src/pubsub/envelope.ts";
import type { Listener } from "../../src/pubsub/registry.ts";
import { TestNode } from "../support/members.ts";
import type { TestMember } from "../support/members.ts";
import { collidingTopics } from "../support/topics.ts";
import { turn } from "../support/world.ts";

/** A listener that records its broadcasts, and its losses. */
class Recorder implements Listener {
  readonly heard: Broadcast[] = [];
  readonly missedTopics: string[] = [];
  readonly #onHeard: (broadcast: Broadcast) => void;

  constructor(onHeard: (broadcast: Broadcast) => void = () => {}) {
    this.#onHeard = onHeard;
  }

  receive(broadcast: Broadcast): void {
    this.heard.push(broadcast);
    this.#onHeard(broadcast);
  }

  missed(topic: string): void {
    this.missedTopics.push(topic);
  }

  /** Takes the numbers in the payloads. */
  numbers(): unknown[] {
    return this.heard.splice(0).map(({ payload }) => (payload as { n: number }).n);
  }
}

function subscribed(member: TestMember, topic: string): Recorder {
  const recorder = new Recorder();
  member.pubsub.subscribe(topic, recorder);
  return recorder;
}

/** Three members of one node. */
function makeMembers(node = new TestNode()): [TestMember, TestMember, TestMember] {
  return [node.member(0), node.member(1), node.member(2)];
}

/** Drains in turns, until everything that waits for room has arrived. */
function drainBoth(sender: TestMember, receiver: TestMember): void {
  for (let turns = 0; turns < 100; turns += 1) {
    receiver.drain();
    sender.drain();
  }
}

describe("a broadcast", () => {
  it("reaches the subscribers of its own thread at once, and of others when they drain", () => {
    const [one, two, three] = makeMembers();
    const [here, there] = [subscribed(one, "t"), subscribed(two, "t")];
    const elsewhere = subscribed(three, "other");
    one.broadcast("t", "e", { n: 1 });
    assert.deepEqual(here.heard, [{ topic: "t", event: "e", payload: { n: 1 } }]);
    assert.deepEqual(there.heard, []);
    two.drain();
    three.drain();
    assert.deepEqual(there.heard, [{ topic: "t", event: "e", payload: { n: 1 } }]);
    assert.deepEqual(elsewhere.heard, []);
    assert.equal(one.counter("records"), 1);
    assert.equal(one.counter("broadcasts"), 1);
  });

  it("needs no subscriber on its own thread", () => {
    const [one, two] = makeMembers();
    const there = subscribed(two, "t");
    one.broadcast("t", "e", { n: 1 });
    two.drain();
    assert.deepEqual(there.numbers(), [1]);
  });

  it("causes no record if nobody else has subscribed", () => {
    const [one] = makeMembers();
    subscribed(one, "t");
    one.broadcast("t", "e", {});
    one.broadcast("unknown", "e", {});
    assert.equal(one.counter("records"), 0);
    assert.equal(one.counter("broadcasts"), 2);
  });

  it("keeps its sender's order, including large ones in fragments", () => {
    const [one, two] = makeMembers();
    const there = subscribed(two, "t");
    for (let n = 0; n < 8; n += 1) one.broadcast("t", "e", { n, fill: "x".repeat((n % 3) * 900) });
    drainBoth(one, two);
    assert.deepEqual(there.numbers(), [0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it("leaves out its sender, and nobody else", () => {
    const [one, two] = makeMembers();
    const [sender, other, there] = [
      subscribed(one, "t"),
      subscribed(one, "t"),
      subscribed(two, "t"),
    ];
    one.broadcast("t", "e", { n: 1 }, "cluster", sender);
    two.drain();
    assert.deepEqual(
      [sender, other, there].map((each) => each.numbers()),
      [[], [1], [1]],
    );
  });

  it("leaves out its sender even if it stays on this node or thread", () => {
    const node = new TestNode({ link: 2 });
    const [one, two] = [node.member(0), node.member(1)];
    const [sender, other, there] = [
      subscribed(one, "t"),
      subscribed(one, "t"),
      subscribed(two, "t"),
    ];
    one.broadcast("t", "e", { n: 1 }, "node", sender);
    one.broadcast("t", "e", { n: 2 }, "thread", sender);
    two.drain();
    assert.deepEqual(
      [sender, other, there].map((each) => each.numbers()),
      [[], [1, 2], [1]],
    );
  });

  it("gives each listener a separate payload", () => {
    const [one] = makeMembers();
    const spoiler = new Recorder(({ payload }) => {
      (payload as { n: number }).n = 99;
    });
    one.pubsub.subscribe("t", spoiler);
    const other = subscribed(one, "t");
    one.broadcast("t", "e", { n: 1 });
    assert.deepEqual(other.numbers(), [1]);
  });

  it("that makes one listener throw reaches the others, and the error is logged", () => {
    const [one] = makeMembers();
    const boom = new Error("boom");
    one.pubsub.subscribe(
      "t",
      new Recorder(() => {
        throw boom;
      }),
    );
    const other = subscribed(one, "t");
    one.broadcast("t", "e", { n: 1 });
    assert.deepEqual(other.numbers(), [1]);
    assert.deepEqual(one.errors, [boom]);
  });

  it("larger than a pair of threads may queue is refused, and reaches nobody", () => {
    const [one, two] = makeMembers();
    const [here, there] = [subscribed(one, "t"), subscribed(two, "t")];
    assert.throws(() => one.broadcast("t", "e", { fill: "x".repeat(70_000) }), {
      name: "RangeError",
      code: "SIM_ERR_PAYLOAD_TOO_LARGE",
      message: /^a broadcast must fit into overflowBytes, got 70\d\d\d \(bytes\)$/,
    });
    two.drain();
    assert.deepEqual([here.heard, there.heard], [[], []]);
    assert.equal(one.counter("broadcasts"), 0);
  });

  it("on a topic whose hash other topics share reaches its own subscribers only", () => {
    const node = new TestNode();
    const [one, two] = makeMembers(node);
    const topics = collidingTopics(node.seed);
    const here = topics.map((topic) => subscribed(one, topic));
    const there = topics.slice(0, 2).map((topic) => subscribed(two, topic));
    for (const [n, topic] of topics.entries()) one.broadcast(topic, "e", { n });
    two.drain();
    assert.deepEqual(
      here.map((each) => each.numbers()),
      [[0], [1], [2]],
    );
    assert.deepEqual(
      there.map((each) => each.numbers()),
      [[0], [1]],
    );
    assert.equal(two.counter("recordsWithoutSubscriber"), 1);
  });

  it("whose last subscriber leaves meanwhile finds none, which is counted", () => {
    const [one, two] = makeMembers();
    const there = subscribed(two, "t");
    one.broadcast("t", "e", { n: 1 });
    two.pubsub.unsubscribe("t", there);
    two.drain();
    assert.deepEqual(there.heard, []);
    assert.equal(two.counter("recordsWithoutSubscriber"), 1);
    one.broadcast("t", "e", { n: 2 });
    assert.equal(one.counter("records"), 1);
  });
});

describe("a listener", () => {
  it("that is added twice gets everything twice, and is removed by one call", () => {
    const [one] = makeMembers();
    const recorder = subscribed(one, "t");
    one.pubsub.subscribe("t", recorder);
    one.broadcast("t", "e", { n: 1 });
    assert.deepEqual(recorder.numbers(), [1, 1]);
    one.pubsub.unsubscribe("t", recorder);
    one.broadcast("t", "e", { n: 2 });
    assert.deepEqual(recorder.numbers(), []);
    assert.equal(one.pubsub.registry.size, 0);
  });

  it("may be removed from a topic that it was not added to", () => {
    const [one] = makeMembers();
    const recorder = subscribed(one, "t");
    one.pubsub.unsubscribe("t", new Recorder());
    one.pubsub.unsubscribe("other", recorder);
    one.broadcast("t", "e", { n: 1 });
    assert.deepEqual(recorder.numbers(), [1]);
  });

  it("keeps its topic in the index until the last one leaves, separately on each thread", () => {
    const [one, two, three] = makeMembers();
    const slot = one.index.slotOf(one.pubsub.registry.hashOf("t"));
    const [a, b, c] = [subscribed(one, "t"), subscribed(one, "t"), subscribed(two, "t")];
    assert.equal(three.index.word(slot, 0), 0b011);
    one.pubsub.unsubscribe("t", a);
    assert.equal(three.index.word(slot, 0), 0b011);
    one.pubsub.unsubscribe("t", b);
    assert.equal(three.index.word(slot, 0), 0b010);
    two.pubsub.unsubscribe("t", c);
    assert.equal(three.index.word(slot, 0), 0);
  });

  it("may subscribe and unsubscribe others while it handles a broadcast", () => {
    const [one] = makeMembers();
    const late = new Recorder();
    const first = new Recorder(() => {
      one.pubsub.subscribe("t", late);
      one.pubsub.unsubscribe("t", first);
    });
    one.pubsub.subscribe("t", first);
    const last = subscribed(one, "t");
    one.broadcast("t", "e", { n: 1 });
    one.broadcast("t", "e", { n: 2 });
    assert.deepEqual(
      [first, last, late].map((each) => each.numbers()),
      [[1], [1, 2], [2]],
    );
  });

  it("may broadcast, which reuses the buffer, while it handles a broadcast, and damages nothing", () => {
    const [one, two] = makeMembers();
    const echo = new Recorder(({ event }) => {
      if (event === "ask") one.broadcast("answers", "answer", { n: 2 });
    });
    one.pubsub.subscribe("t", echo);
    const [after, answers, there] = [
      subscribed(one, "t"),
      subscribed(one, "answers"),
      subscribed(two, "t"),
    ];
    one.broadcast("t", "ask", { n: 1 });
    two.drain();
    assert.deepEqual(
      [echo, after, answers, there].map((each) => each.numbers()),
      [[1], [1], [2], [1]],
    );
  });

  it("that broadcasts on the same topic lets the others get both in the order in which they were sent", () => {
    const [one, two] = makeMembers();
    const echo = new Recorder(({ event }) => {
      if (event === "ask") one.broadcast("t", "answer", { n: 2 });
    });
    one.pubsub.subscribe("t", echo);
    const [after, there] = [subscribed(one, "t"), subscribed(two, "t")];
    one.broadcast("t", "ask", { n: 1 });
    two.drain();
    assert.deepEqual(
      [echo, after, there].map((each) => each.numbers()),
      [
        [1, 2],
        [1, 2],
        [1, 2],
      ],
    );
  });

  it("that answers itself endlessly lets the event loop run", async () => {
    const [one] = makeMembers();
    let count = 0;
    let isOver = false;
    const endless = new Recorder(() => {
      count += 1;
      if (!isOver) one.broadcast("t", "e", {});
    });
    one.pubsub.subscribe("t", endless);
    one.broadcast("t", "e", {});
    const before = count;
    await turn();
    isOver = true;
    assert.ok(before > 0 && count > before, `${before} and ${count}`);
    await turn();
    assert.deepEqual(one.errors, []);
  });

  it("may broadcast while it handles a broadcast from another thread", () => {
    const [one, two] = makeMembers();
    two.pubsub.subscribe("t", new Recorder(() => two.broadcast("answers", "answer", { n: 2 })));
    const answers = subscribed(one, "answers");
    one.broadcast("t", "ask", { n: 1 });
    two.drain();
    one.drain();
    assert.deepEqual(answers.numbers(), [2]);
  });
});

describe("lost records", () => {
  it("are reported to all listeners of the topics in their slots, and to no others", () => {
    const [one] = makeMembers();
    const { index, pubsub } = one;
    const [lost, kept] = [subscribed(one, "t:1"), subscribed(one, "t:2")];
    assert.notEqual(
      index.slotOf(pubsub.registry.hashOf("t:1")),
      index.slotOf(pubsub.registry.hashOf("t:2")),
    );
    pubsub.onLapped(1, Int32Array.of(index.slotOf(pubsub.registry.hashOf("t:1"))));
    assert.deepEqual([lost.missedTopics, kept.missedTopics], [["t:1"], []]);
    pubsub.onLapped(1, "all");
    assert.deepEqual([lost.missedTopics, kept.missedTopics], [["t:1", "t:1"], ["t:2"]]);
  });

  it("are reported to all, even if one of them throws or unsubscribes", () => {
    const [one] = makeMembers();
    const boom = new Error("boom");
    const told: string[] = [];
    const throwing = {
      receive: () => {},
      missed: () => {
        throw boom;
      },
    };
    const leaving = {
      receive: () => {},
      missed: (topic: string) => {
        told.push(topic);
        one.pubsub.unsubscribe(topic, leaving);
      },
    };
    for (const topic of ["t:1", "t:2"]) {
      one.pubsub.subscribe(topic, throwing);
      one.pubsub.subscribe(topic, leaving);
    }
    const last = subscribed(one, "t:2");
    one.pubsub.onLapped(1, "all");
    assert.deepEqual(told, ["t:1", "t:2"]);
    assert.deepEqual(last.missedTopics, ["t:2"]);
    assert.deepEqual(one.errors, [boom, boom]);
  });

  it("are exactly those that found no room: received plus reported equals sent", () => {
    const node = new TestNode({ ringBytes: 4_096, overflowBytes: 8_192 });
    const [one, two] = makeMembers(node);
    const there = subscribed(two, "t");
    let sent = 0;
    while (one.counter("lapped") < 3) {
      one.broadcast("t", "e", { n: sent, fill: "x".repeat(200) });
      sent += 1;
      assert.ok(sent < 1_000, "nothing was lost");
    }
    drainBoth(one, two);
    assert.equal(there.heard.length + one.counter("lapped"), sent);
    assert.deepEqual(there.missedTopics, ["t"]);
    assert.deepEqual(
      there.numbers(),
      Array.from({ length: sent - 3 }, (_, n) => n),
    );
  });
});

describe("a broadcast to one node", () => {
  it("is sent to the link alone, with the node's name after the frame", () => {
    const node = new TestNode({ link: 2 });
    const one = node.member(0);
    const two = node.member(1);
    const link = node.member(2);
    const there = subscribed(two, "t");
    one.directBroadcast("far", "t", "e", { n: 1 });
    two.drain();
    assert.deepEqual(there.heard, []);
    assert.equal(one.counter("records"), 1);
    link.drain();
    assert.equal(link.counter("recordsWithoutSubscriber"), 1);
  });

  it("is not sent without a link", () => {
    const [one] = makeMembers();
    one.directBroadcast("far", "t", "e", { n: 1 });
    assert.equal(one.counter("records"), 0);
  });

  it("is refused if it is too large", () => {
    const one = new TestNode({ link: 2 }).member(0);
    assert.throws(() => one.directBroadcast("far", "t", "e", { fill: "x".repeat(70_000) }), {
      code: "SIM_ERR_PAYLOAD_TOO_LARGE",
    });
  });

  it("to this thread only writes no record; to other threads only, it does not arrive here", () => {
    const node = new TestNode({ link: 2 });
    const [one, two, link] = [node.member(0), node.member(1), node.member(2)];
    const [here, there] = [subscribed(one, "t"), subscribed(two, "t")];
    one.broadcast("t", "e", { n: 1 }, "thread");
    assert.deepEqual([one.counter("records"), here.numbers()], [0, [1]]);
    one.broadcast("t", "e", { n: 2 }, "otherThreads");
    one.broadcast("t", "e", { n: 3 }, "otherNodes");
    for (const member of [two, link]) member.drain();
    assert.deepEqual([here.numbers(), there.numbers()], [[], [2]]);
    assert.equal(link.counter("recordsWithoutSubscriber"), 1);
    assert.equal(one.counter("records"), 2);
  });

  it("to other nodes is not sent without a link, and refused if it is too large", () => {
    const alone = new TestNode().member(0);
    alone.broadcast("t", "e", { n: 1 }, "otherNodes");
    assert.equal(alone.counter("records"), 0);
    const one = new TestNode({ link: 2 }).member(0);
    assert.throws(() => one.broadcast("t", "e", { fill: "x".repeat(70_000) }, "otherNodes"), {
      code: "SIM_ERR_PAYLOAD_TOO_LARGE",
    });
  });

  it("to all nodes writes a record for the link, but not if it is for this node only", () => {
    const node = new TestNode({ link: 2 });
    const one = node.member(0);
    one.broadcast("t", "e", {}, "node");
    assert.equal(one.counter("records"), 0);
    one.broadcast("t", "e", {}, "cluster");
    assert.equal(one.counter("records"), 1);
  });
});

describe("lanes", () => {
  it("get the frame before listeners are called, and the sender to leave out", () => {
    const calls: string[] = [];
    const sender = {};
    const dispatcher: Dispatcher<string> = {
      dispatch: (entry, envelope, from) => {
        const frame = Buffer.from(envelope.frame()).toString();
        calls.push(`${entry.topic} ${frame} ${from === sender ? "from" : "to all"}`);
      },
      missed: (entry) => void calls.push(`missed ${entry.topic}`),
    };
    const node = new TestNode();
    const one = node.member<string>(0, dispatcher);
    const two = node.member<string>(1, dispatcher);
    one.pubsub.acquire("t");
    one.pubsub.subscribe("t", { receive: () => void calls.push("listener"), missed: () => {} });
    one.broadcast("t", "e", { n: 1 }, "cluster", sender);
    two.broadcast("t", "e", { n: 2 });
    one.drain();
    one.pubsub.onLapped(1, "all");
    assert.deepEqual(calls, [
      't [null,null,"t","e",{"n":1}] from',
      "listener",
      't [null,null,"t","e",{"n":2}] to all',
      "listener",
      "missed t",
    ]);
  });

  it("may broadcast when they get a frame; listeners get both in the order in which they were sent", () => {
    const node = new TestNode();
    const one = node.member<string>(0, {
      dispatch: (_, envelope) => {
        if (envelope.event() === "ask") one.broadcast("t", "answer", { n: 2 });
      },
      missed: () => {},
    });
    const recorder = new Recorder();
    one.pubsub.subscribe("t", recorder);
    one.broadcast("t", "ask", { n: 1 });
    assert.deepEqual(recorder.numbers(), [1, 2]);
  });

  it("are kept while their entry has subscribers; a released entry delivers nothing", () => {
    const dispatched: string[] = [];
    const one = new TestNode().member<string>(0, {
      dispatch: ({ topic }) => void dispatched.push(topic),
      missed: () => {},
    });
    const entry = one.pubsub.acquire("t");
    assert.equal(one.pubsub.acquire("t"), entry);
    one.pubsub.release(entry);
    one.broadcast("t", "e", {});
    one.pubsub.release(entry);
    one.pubsub.broadcast(entry, "e", {}, "cluster");
    assert.deepEqual(dispatched, ["t"]);
    assert.equal(one.pubsub.registry.size, 0);
  });
});
