/**
 * The table of clients: the installed versions, and what each does with a token.
 *
 * Its other columns are tested beside this file: bytes, joins of one topic and refused joins in `channels`, lost
 * sessions in `recovery`, polls, batches and bytes by POST in `longpoll`, and `fallback`.
 *
 * Runs on: the main thread of the tests; the server is in the same process.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { CLIENTS, GENERATIONS, carriersOf } from "../../support/clients/generations.ts";
import { PageClient } from "../../support/clients/page-client.ts";
import { startServer, type Server } from "../../support/server.ts";

/** Its base64 has a character that URLs do not allow, and none that the WebSocket package refuses. */
const TOKEN = "a secret >>> key";

describe("The table of clients", () => {
  for (const { name, version, entry } of GENERATIONS) {
    it(`has the version of ${name}`, () => {
      const installed = readFileSync(new URL("../../package.json", entry()), "utf8");
      assert.equal((JSON.parse(installed) as { version: string }).version, version);
    });
  }
});

describe("The reference", () => {
  it("has the version of realtime-js", () => {
    const root = new URL("../../../../", import.meta.url);
    const installed = new URL("node_modules/@supabase/realtime-js/package.json", root);
    const { name, version } = JSON.parse(readFileSync(installed, "utf8")) as Record<string, string>;
    const reference = readFileSync(new URL("src/REFERENCE.md", root), "utf8");
    assert.ok(reference.includes(`\`${name}\` ${version} `));
  });
});

describe("A token that is not a parameter", () => {
  let server: Server;
  before(async () => {
    server = await startServer("clients", { shards: 1 });
  });
  after(() => server.close());

  for (const generation of CLIENTS) {
    const { name, version, can } = generation;
    for (const carrier of carriersOf(generation)) {
      it(`is ${can.authToken ? "sent" : "not known"} by ${name} ${version} over ${carrier}`, async () => {
        const socket = { authToken: TOKEN };
        const client = await PageClient.connect(generation, server.port, {
          carrier,
          mount: "/authed",
          socket,
        });
        const { response } = await (await client.joined("room:1")).push("told");
        assert.equal((response as { token: unknown }).token, can.authToken ? TOKEN : null);
        assert.ok(!JSON.stringify(response).includes(encodeURIComponent(TOKEN)));
        client.close();
      });
    }
  }
});
