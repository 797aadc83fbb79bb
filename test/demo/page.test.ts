import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { serve, type Server } from "../../src/index.ts";

describe("the demo's routes", () => {
  let server: Server;

  before(async () => {
    const app = new URL("../../src/demo/app.js", import.meta.url);
    server = await serve({ app, host: "127.0.0.1", port: 0, shards: 1, logLevel: "silent" });
  });
  after(async () => {
    await server.close();
  });

  async function get(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${server.port}${path}`);
  }

  it("serve everything that the page asks for, and let it ask for nothing else", async () => {
    const page = await get("/");
    assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
    const policy = page.headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    const html = await page.text();
    const links = [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, link]) => link as string);
    assert.deepEqual([...new Set(links)].toSorted(), ["page.css", "page.js", "simurgh.svg"]);
    for (const link of links) assert.equal((await get(`/${link}`)).status, 200, link);
    assert.equal((await get("/no-such-file")).status, 404);
  });

  it("serve the official client as npm has it", async () => {
    const client = readFileSync(fileURLToPath(import.meta.resolve("phoenix")), "utf8");
    const answer = await get("/phoenix.mjs");
    assert.equal(answer.headers.get("content-type"), "text/javascript; charset=utf-8");
    assert.equal(await answer.text(), client);
  });
});
