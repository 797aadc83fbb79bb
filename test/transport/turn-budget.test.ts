import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";

import { Turn } from "../../src/transport/turn.ts";
import { TurnBudget, type TurnVerdict } from "../../src/transport/turn-budget.ts";

/** A client sends numbered messages. */
class Client {
  readonly name: string;
  /** Numbers of its messages that were handled. */
  readonly handled: number[] = [];
  sent = 0;

  constructor(name: string) {
    this.name = name;
  }
}

const BUDGET_MS = 10;
const LIGHT_MESSAGES = 8;

/** The client of each message that was handled. */
let handled: string[];
let budget: TurnBudget<Client>;
/** How long the handling of each message takes (ms). */
let costMs: number;

function spend(durationMs: number): void {
  const end = performance.now() + durationMs;
  while (performance.now() < end);
}

function handle(client: Client, bytes: Uint8Array): void {
  const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  client.handled.push(number);
  handled.push(client.name);
  spend(costMs);
}

function send(client: Client, length = 4): TurnVerdict {
  const bytes = Buffer.alloc(length);
  bytes.writeUInt32BE(client.sent);
  client.sent += 1;
  const verdict = budget.take(client, "bytes", bytes);
  if (verdict === "now") handle(client, bytes);
  // The engine reuses the bytes.
  bytes.fill(0xff);
  return verdict;
}

function sendMany(client: Client, count: number, length?: number): TurnVerdict[] {
  return Array.from({ length: count }, () => send(client, length));
}

/** Sends messages until one has to wait. */
function exhaust(client: Client): void {
  sendMany(client, LIGHT_MESSAGES + 1);
  spend(BUDGET_MS);
  assert.equal(send(client), "waits");
}

async function untilEmpty(): Promise<void> {
  while (budget.size > 0) await nextTurn();
}

function inOrder({ sent }: Client): number[] {
  return Array.from({ length: sent }, (_, number) => number);
}

describe("a turn budget", () => {
  let a: Client;
  let b: Client;

  beforeEach(() => {
    handled = [];
    costMs = 0;
    budget = new TurnBudget(new Turn(), (client, { bytes }) => handle(client, bytes));
    a = new Client("a");
    b = new Client("b");
  });

  it("lets a client's messages wait once the budget is spent, and handles all of them in order", async () => {
    exhaust(a);
    const verdicts = sendMany(a, 20);
    assert.deepEqual([...new Set(verdicts)], ["waits"]);
    assert.equal(handled.length, LIGHT_MESSAGES + 1);
    await untilEmpty();
    assert.deepEqual(a.handled, inOrder(a));
  });

  it("knows the memory that waiting messages take, of a client and of all", async () => {
    exhaust(a);
    sendMany(b, LIGHT_MESSAGES + 1);
    const held = (): number[] => [budget.bytesOf(a), budget.bytesOf(b), budget.heldBytes];
    assert.deepEqual(held(), [16_384, 16_384, 32_768]);
    sendMany(b, 2, 10_000);
    assert.deepEqual(held(), [16_384, 32_768, 49_152]);
    budget.drop(b);
    assert.deepEqual(held(), [16_384, 0, 16_384]);
    await untilEmpty();
    assert.deepEqual(held(), [0, 0, 0]);
  });

  it("always serves clients that send a few messages, even after it is spent", () => {
    exhaust(a);
    for (let n = 0; n < 100; n += 1) {
      const client = new Client("c");
      assert.deepEqual(sendMany(client, LIGHT_MESSAGES), Array(LIGHT_MESSAGES).fill("now"));
    }
    assert.deepEqual(sendMany(b, LIGHT_MESSAGES + 1).at(-1), "waits");
  });

  it("counts a large message as many", () => {
    exhaust(a);
    assert.equal(send(b, 4_097), "waits");
  });

  it("begins anew with each turn", async () => {
    exhaust(a);
    await untilEmpty();
    await nextTurn();
    assert.deepEqual([...new Set(sendMany(a, 100))], ["now"]);
  });

  it("handles later messages of a client after those that wait, even if it was light", async () => {
    exhaust(a);
    assert.equal(send(b), "now");
    assert.equal(send(a), "waits");
    await untilEmpty();
    assert.deepEqual(a.handled, inOrder(a));
  });

  it("handles waiting messages of several clients one at a time each, within a budget for each turn", async () => {
    exhaust(a);
    sendMany(b, LIGHT_MESSAGES);
    for (const client of [a, b])
      assert.ok(!sendMany(client, 20).slice(LIGHT_MESSAGES).includes("now"));
    const before = handled.length;
    costMs = 3;
    while (handled.length === before) await nextTurn();
    const inTurn = handled.length - before;
    assert.ok(inTurn < 10, `${inTurn} messages of 3 ms in one turn or two`);
    await untilEmpty();
    assert.match(handled.slice(before).join(""), /^a?(ba){12}/);
    for (const client of [a, b]) assert.deepEqual(client.handled, inOrder(client));
  });

  it("refuses a client for which more than 256 KiB wait, and no other", async () => {
    exhaust(a);
    sendMany(b, LIGHT_MESSAGES + 1);
    const verdicts = sendMany(a, 3, 100_000);
    assert.deepEqual(verdicts, ["waits", "waits", "full"]);
    assert.equal(send(b, 100_000), "waits");
    budget.drop(a);
    await untilEmpty();
    assert.deepEqual(b.handled, inOrder(b));
  });

  it("accepts a single message that is larger than what may wait", async () => {
    exhaust(a);
    assert.equal(send(b, 1_000_000), "waits");
    await untilEmpty();
    assert.deepEqual(b.handled, [0]);
  });

  it("lets a burst of 5,000 small messages wait, but not any number", () => {
    exhaust(a);
    assert.deepEqual([...new Set(sendMany(a, 5_000, 45))], ["waits"]);
    let count = 0;
    while (send(b) !== "full") count += 1;
    assert.ok(count < 50_000, `${count} waiting messages`);
  });

  it("ends a client after its last waiting message, or at once if none waits", async () => {
    assert.equal(budget.finish(b, assert.fail), false);
    exhaust(a);
    let finished = 0;
    const before = a.sent;
    assert.equal(
      budget.finish(a, () => {
        finished = a.handled.length;
      }),
      true,
    );
    await untilEmpty();
    assert.equal(finished, before);
  });

  it("forgets the messages of a client that is dropped while it handles one of them", async () => {
    budget = new TurnBudget(new Turn(), (client, { bytes }) => {
      handle(client, bytes);
      budget.drop(client);
    });
    exhaust(a);
    sendMany(a, 3);
    const before = a.handled.length;
    await untilEmpty();
    assert.equal(a.handled.length, before + 1);
  });
});
