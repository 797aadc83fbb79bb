/**
 * What goes on after main has ended user code, in the parts of a shard from which that can be called. Whole servers:
 * test/integration/stuck-places.
 *
 * Runs on: the test's thread, on which V8 ends the code.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";

import { Logger } from "../../src/log/logger.ts";
import { Endings } from "../../src/socket/endings.ts";
import type { EngineResponse } from "../../src/transport/engine/app-port.ts";
import type { RequestBody } from "../../src/transport/http/request-body.ts";
import type { RequestHead } from "../../src/transport/http/request-head.ts";
import { Routes } from "../../src/transport/http/routes.ts";
import { StreamBuffers } from "../../src/transport/http/stream-buffers.ts";
import { Turn } from "../../src/transport/turn.ts";
import { TurnBudget } from "../../src/transport/turn-budget.ts";
import { within } from "../support/deadline.ts";
import { endCode, hold } from "../support/ended-code.ts";
import { makeMembers, notingHandler, publish } from "../support/exchange.ts";
import { TestNode } from "../support/members.ts";

const HEAD = { method: "GET", path: "/", query: "", pathParams: {} } as unknown as RequestHead;
/** A request without a body. */
const UNREAD = { read() {}, giveUp() {}, isLong: false } as unknown as RequestBody;

describe("after user code was ended", () => {
  it("an exchange goes on behind the record, which is not handled again", () => {
    const [from, to] = makeMembers();
    assert.ok(from && to);
    to.index.add(1);
    for (const text of ["a", "hold", "b"]) publish(from, 1, text);
    const noting = notingHandler(to.seen);
    to.exchange.attach({
      ...noting,
      onRecord(...record) {
        noting.onRecord(...record);
        if (to.seen.at(-1) === "0:hold") hold();
      },
    });
    endCode(() => to.exchange.drainNow());
    assert.deepEqual(to.seen.splice(0), ["0:a", "0:hold"]);
    to.exchange.recover();
    publish(from, 1, "c");
    assert.deepEqual(to.drained(), ["0:b", "0:c"]);
  });

  it("the other listeners of a broadcast get it, and those of later ones", () => {
    const { pubsub } = new TestNode().member(0);
    const heard: string[] = [];
    const listen = (name: string, holds: boolean): void =>
      pubsub.subscribe("t", {
        receive({ payload }) {
          heard.push(`${name} ${(payload as { n: number }).n}`);
          if (holds && heard.length === 1) hold();
        },
        missed() {},
      });
    listen("one", true);
    listen("two", false);
    endCode(() => pubsub.broadcast("t", "e", { n: 1 }, "thread"));
    assert.deepEqual(heard, ["one 1"]);
    pubsub.broadcast("t", "e", { n: 2 }, "thread");
    assert.deepEqual(heard, ["one 1"]);
    pubsub.recover();
    assert.deepEqual(heard, ["one 1", "two 1", "one 2", "two 2"]);
  });

  it("a turn goes on behind the work", (test) => {
    test.mock.timers.enable({ apis: ["setImmediate"] });
    const turn = new Turn();
    const done: string[] = [];
    // Like an end by main, this leaves out all that follows in the immediate.
    turn.later(() => {
      done.push("held");
      throw new Error("ended");
    });
    turn.later(() => done.push("next"));
    assert.throws(() => test.mock.timers.tick(1));
    assert.equal(turn.size, 1);
    test.mock.timers.tick(1);
    assert.deepEqual(done, ["held", "next"]);
    assert.equal(turn.size, 0);
  });

  it("the other messages of a client are handled, and then its end", async () => {
    const client = {};
    const handled: number[] = [];
    let works: (() => void)[] = [];
    const turn = {
      onEnd() {},
      isSpent: () => true,
      isOvercharged: true,
      later(work: () => void): void {
        works.push(work);
      },
    } as unknown as Turn;
    const budget = new TurnBudget<object>(turn, (_client, { bytes }) => {
      handled.push(bytes[0] ?? 0);
      if (bytes[0] === 1) hold();
    });
    for (const number of [0, 1, 2]) budget.take(client, "bytes", new Uint8Array([number]));
    let isFinished = false;
    budget.finish(client, () => {
      isFinished = true;
    });
    endCode(() => works[0]?.());
    works = [];
    budget.recover();
    works[0]?.();
    assert.deepEqual([handled, isFinished], [[1, 2], true]);
    assert.equal(budget.size, 0);
  });

  it("the end of a connection is completed, without closing it again", () => {
    const endings = new Endings();
    const done: string[] = [];
    endCode(() =>
      endings.run(
        () => done.push("close"),
        () => {
          done.push("end");
          if (done.length === 2) hold();
          done.push("ended");
        },
      ),
    );
    endings.recover();
    endings.recover();
    assert.deepEqual(done, ["close", "end", "end", "ended"]);
  });

  it("a drain does not wait for the request whose route it was, nor less for others", async () => {
    const requests: ((response: EngineResponse) => void)[] = [];
    const clients: (() => void)[] = [];
    const routes = new Routes({
      router: {
        serve: (_method, _path, _head, run) =>
          void requests.push((response) => run(response, HEAD, UNREAD, false)),
      },
      context: undefined,
      options: { handlerTimeoutMs: 60_000 },
      logger: new Logger("silent"),
      tcp: { requested() {}, answered() {} },
      streams: new StreamBuffers(),
    });
    routes.add("GET /hold", () => hold());
    routes.add("GET /late", async () => new Promise(() => {}));
    const [held, late] = requests;
    assert.ok(held && late);
    const response = {
      onAborted: (gone: () => void) => void clients.push(gone),
    } as unknown as EngineResponse;
    endCode(() => held(response));
    routes.recover();
    late(response);
    clients[0]?.();
    const order: string[] = [];
    const over = routes.allAnswered(60_000).then(() => order.push("over"));
    for (let turn = 0; turn < 10; turn += 1) await setImmediate();
    order.push("the other client goes away");
    clients[1]?.();
    await within(over, "the end of the other request");
    assert.deepEqual(order, ["the other client goes away", "over"]);
  });
});
