import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ok } from "../../src/callbacks/results.ts";
import type { LaterReply } from "../../src/channel/later-reply.ts";
import type { AnswersLater } from "../../src/channel/schemas/declarations.ts";
import { channel, Deferred, turn, World } from "../support/world.ts";

/** A world whose channel stores a later reply for each `keep`. */
function makeWorld(): { world: World; refs: LaterReply[] } {
  const refs: LaterReply[] = [];
  const world = new World({
    channels: {
      "room:*": channel({ handleIn: { keep: (socket) => void refs.push(socket.replyLater()) } }),
    },
  });
  return { world, refs };
}

describe("a later reply", () => {
  it("answers its message later, any number of times", () => {
    const { world, refs } = makeWorld();
    const client = world.joined();
    assert.deepEqual(
      client.asked('["11","2","room:1","keep",{}]', '["11","3","room:1","keep",{}]'),
      [],
    );
    refs[1]?.reply("ok", { n: 3 });
    refs[0]?.reply("error", "no");
    refs[0]?.reply("maybe");
    assert.deepEqual(client.taken(), [
      '["11","3","room:1","phx_reply",{"status":"ok","response":{"n":3}}]',
      '["11","2","room:1","phx_reply",{"status":"error","response":"no"}]',
      '["11","2","room:1","phx_reply",{"status":"maybe","response":{}}]',
    ]);
  });

  it("answers under the join that the message was for, even after that channel has ended", () => {
    const { world, refs } = makeWorld();
    const client = world.joined();
    client.send('["11","2","room:1","keep",{}]', '["12","3","room:1","phx_join",{}]');
    client.taken();
    refs[0]?.reply("ok");
    assert.deepEqual(client.taken(), [
      '["11","2","room:1","phx_reply",{"status":"ok","response":{}}]',
    ]);
  });

  it("does nothing once the connection is gone", () => {
    const { world, refs } = makeWorld();
    const client = world.joined();
    client.send('["11","2","room:1","keep",{}]');
    client.connection.lose();
    refs[0]?.reply("ok");
    assert.deepEqual(client.taken(), []);
  });

  it("accepts refs and topics of any kind", () => {
    const { world, refs } = makeWorld();
    const topic = 'room:"é';
    const client = world.joined([topic]);
    client.send(JSON.stringify(["11", { a: [1] }, topic, "keep", {}]));
    refs[0]?.reply("ok");
    const [frame = ""] = client.taken();
    const response = { status: "ok", response: {} };
    assert.deepEqual(JSON.parse(frame), ["11", { a: [1] }, topic, "phx_reply", response]);
  });

  it("throws to its caller if the payload cannot be written as JSON", () => {
    const { world, refs } = makeWorld();
    const client = world.joined();
    client.send('["11","2","room:1","keep",{}]');
    assert.throws(() => refs[0]?.reply("ok", 1n), { code: "SIM_ERR_PAYLOAD" });
    assert.deepEqual(client.taken(), []);
    assert.equal(world.count, 1);
  });

  it("is refused in join, for a message without a ref, and outside handleIn", async () => {
    const codes: string[] = [];
    const attempt = (socket: object): void => {
      try {
        (socket as AnswersLater).replyLater();
        codes.push("taken");
      } catch (error) {
        codes.push((error as { code: string }).code);
      }
    };
    const world = new World({
      channels: {
        "room:*": channel({
          join: (socket) => {
            attempt(socket);
            return ok();
          },
          handleIn: { try: attempt, send: (socket) => socket.send("x") },
          handleInfo: attempt,
          intercept: { out: attempt },
          terminate: attempt,
        }),
      },
    });
    const client = world.joined();
    client.send('["11",null,"room:1","try",{}]', '["11","","room:1","try",{}]');
    client.send('["11","3","room:1","send",{}]');
    world.member.broadcast("room:1", "out", {});
    client.send('["11","4","room:1","phx_leave",{}]');
    await turn();
    const [notJoined, noRef] = ["SIM_ERR_NOT_JOINED", "SIM_ERR_NO_REF"];
    assert.deepEqual(codes, [notJoined, noRef, "taken", noRef, noRef, noRef]);
  });

  it("may be created after a wait in an asynchronous handler", async () => {
    const wait = new Deferred();
    const world = new World({
      channels: {
        "room:*": channel({
          handleIn: {
            later: async (socket) => {
              await wait.promise;
              socket.replyLater().reply("ok", 1);
            },
          },
        }),
      },
    });
    const client = world.joined();
    client.send('["11","2","room:1","later",{}]');
    wait.resolve(undefined);
    await turn();
    assert.deepEqual(client.taken(), [
      '["11","2","room:1","phx_reply",{"status":"ok","response":1}]',
    ]);
  });
});
