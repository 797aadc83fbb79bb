/**
 * Two nodes in two processes, as started by `simurgh serve`, with a real Redis between them: what official
 * clients receive from each other, and what operators see.
 *
 * Runs on: the main thread of the tests; nodes and Redis are processes of their own.
 * Slow: processes of nodes that find and lose each other.
 */

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { CommandLine } from "../support/command-line.ts";
import { within } from "../support/deadline.ts";
import { Present } from "../support/present.ts";
import { noRedis, TestRedis } from "../support/redis.ts";
import { SECRET_KEY_BASE } from "../support/server.ts";

const APP = fileURLToPath(new URL("../apps/presences.js", import.meta.url));
const FLAGS = ["--host", "127.0.0.1", "--port", "0", "--shards", "2"];
const PRESENCE = ["--presence-period-ms", "50", "--presence-down-ms", "2000"];
const DEADLINE_MS = 20_000;
const SELF_SIGNED =
  "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=redis -addext subjectAltName=IP:127.0.0.1".split(
    " ",
  );
const noOpenssl = spawnSync("openssl", ["version"]).status === 0 ? false : "openssl is missing";

/** Makes the import of the client library fail, in every thread of a process. */
const WITHOUT_CLIENT = `export function resolve(name, context, next) {
  if (name !== "@redis/client") return next(name, context);
  throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
}`;

function dataUrl(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}

function serveNode(
  nodeName: string,
  url: string,
  environment: Readonly<Record<string, string>> = {},
): CommandLine {
  const args = ["serve", APP, ...FLAGS, ...PRESENCE, "--node-name", nodeName];
  return new CommandLine(args, {
    SIMURGH_CLUSTER_URL: url,
    SIMURGH_SECRET_KEY_BASE: SECRET_KEY_BASE,
    ...environment,
  });
}

/** Waits until a node logs a text after what it had logged before. */
async function logged(node: CommandLine, text: string, from = 0): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  while (!node.err.slice(from).includes(text)) {
    assert.ok(performance.now() < endMs, `"${text}" was not logged: ${node.err}`);
    await new Promise<void>((resolve) => node.process.stderr?.once("data", () => resolve()));
  }
}

/** Resolves with the next shouts on a channel, in order. */
function shouts({ channel }: Present, count: number): Promise<number[]> {
  const heard: number[] = [];
  const all = new Promise<number[]>((resolve) => {
    const ref = channel.on("shout", (payload) => {
      heard.push((payload as { n: number }).n);
      if (heard.length < count) return;
      channel.off("shout", ref);
      resolve(heard);
    });
  });
  return within(all, `${count} shouts`, DEADLINE_MS);
}

/** Resolves once a channel got phx_error and has rejoined. */
async function rejoin({ channel }: Present): Promise<void> {
  await new Promise<void>((resolve) => channel.onError(() => resolve()));
  // The app sends it after each join.
  await new Promise<unknown>((resolve) => channel.on("presence_state", resolve));
}

describe("Nodes in two processes, over Redis", { skip: noRedis }, () => {
  let redis: TestRedis;
  let ant: CommandLine;
  let bee: CommandLine;
  let ports: { readonly ant: number; readonly bee: number };
  let present: Present[] = [];

  before(async () => {
    redis = await TestRedis.start();
    [ant, bee] = [serveNode("ant", redis.url), serveNode("bee", redis.url)];
    ports = { ant: await ant.port(), bee: await bee.port() };
  });
  afterEach(async () => {
    await Promise.all(present.map((one) => one.disconnect()));
    present = [];
  });
  after(async () => {
    await ant[Symbol.asyncDispose]();
    await bee[Symbol.asyncDispose]();
    await redis.kill();
  });

  async function enter(node: "ant" | "bee", name: string, topic: string): Promise<Present> {
    const one = await Present.join(ports[node], name, topic);
    present.push(one);
    return one;
  }

  it("show each other's clients all presences, and their leaves", async () => {
    const ann = await enter("ant", "ann", "room:who");
    const bob = await enter("bee", "bob", "room:who");
    for (const one of [ann, bob]) await one.seesOnly("ann", "bob");
    await bob.disconnect();
    await ann.seesOnly("ann");
  });

  it("receive each other's broadcasts, each sender's in order", async () => {
    const [ann, bob] = [
      await enter("ant", "ann", "room:shout"),
      await enter("bee", "bob", "room:shout"),
    ];
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    // Both receive the broadcasts of both.
    const heard = Promise.all([shouts(ann, 200), shouts(bob, 200)]);
    for (const n of numbers) {
      ann.channel.push("track_and_shout", { n });
      bob.channel.push("track_and_shout", { n: 1_000 + n });
    }
    for (const all of await heard) {
      const [ofAnn, ofBob] = [all.filter((n) => n < 1_000), all.filter((n) => n >= 1_000)];
      assert.deepEqual(ofAnn, numbers);
      assert.deepEqual(
        ofBob,
        numbers.map((n) => 1_000 + n),
      );
    }
  });

  it("have clients join again after Redis was away, and receive each other's broadcasts again", async () => {
    const ann = await enter("ant", "ann", "room:away");
    const bob = await enter("bee", "bob", "room:away");
    const amy = await enter("ant", "amy", "room:alone");
    for (const one of [ann, bob]) await one.seesOnly("ann", "bob");
    const rejoined = Promise.all([ann, bob].map(rejoin));
    const logs = [ant.err.length, bee.err.length] as const;
    await redis.kill();
    await logged(ant, "no connection to other nodes", logs[0]);
    await logged(bee, "no connection to other nodes", logs[1]);
    // Each node continues alone.
    const alone = shouts(amy, 1);
    amy.channel.push("track_and_shout", { n: 7 });
    assert.deepEqual(await alone, [7]);
    await redis.start();
    await within(rejoined, "phx_error on both nodes, and another join", DEADLINE_MS);
    await logged(ant, "connected to other nodes", logs[0]);
    for (const one of [ann, bob]) {
      await one.sees((keys) => keys.includes("ann") && keys.includes("bob"), "both again");
    }
    const heard = shouts(bob, 1);
    ann.channel.push("track_and_shout", { n: 8 });
    assert.deepEqual(await heard, [8]);
  });

  it("drop the presences of a node that died", async () => {
    const cat = serveNode("cat", redis.url);
    try {
      const ann = await enter("ant", "ann", "room:dead");
      const dan = await Present.join(await cat.port(), "dan", "room:dead");
      await ann.seesOnly("ann", "dan");
      cat.kill("SIGKILL");
      await ann.seesOnly("ann");
      await dan.disconnect();
    } finally {
      await cat[Symbol.asyncDispose]();
    }
  });

  it("refuse another node with the name of one of them", async () => {
    await using other = serveNode("ant", redis.url);
    const { code, err } = await other.ended();
    assert.equal(code, 1);
    assert.match(err, /nodeName must be unique in its cluster, got ant, which .* has as well/);
  });
});

describe("A node that cannot be linked", { skip: noRedis }, () => {
  it("ends with the reason if Redis refuses it, and does not show the password", async () => {
    const redis = await TestRedis.start(["--requirepass", "right"]);
    try {
      const url = `redis://:wrong-one@127.0.0.1:${redis.port}`;
      await using node = serveNode("ant", url);
      const { code, err } = await node.ended();
      assert.equal(code, 1);
      assert.match(err, /must let this node in, subscribe and publish, got WRONGPASS/);
      assert.doesNotMatch(err, /wrong-one/);
    } finally {
      await redis.kill();
    }
  });

  it("ends with what to install if the client library is missing", async () => {
    const hooks = `import { register } from "node:module"; register(${JSON.stringify(dataUrl(WITHOUT_CLIENT))});`;
    await using node = serveNode("ant", "redis://127.0.0.1", {
      NODE_OPTIONS: `--import=${dataUrl(hooks)}`,
    });
    const { code, err } = await node.ended();
    assert.equal(code, 1);
    assert.match(
      err,
      /package @redis\/client must be installed for a clusterUrl of redis: \(npm install @redis\/client\), got none/,
    );
  });

  it("ends with the variable's rule if the URL is invalid, and does not show it", async () => {
    await using node = serveNode("ant", "http://:wrong-one@127.0.0.1");
    const { code, err } = await node.ended();
    assert.equal(code, 2);
    assert.match(
      err,
      /SIMURGH_CLUSTER_URL must be none or a URL such as redis:.*got the scheme http:/,
    );
    assert.doesNotMatch(err, /wrong-one/);
  });

  it(
    "uses TLS if the URL says so, with its own certificate authority",
    { skip: noOpenssl },
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "simurgh-tls-"));
      const [key, certificate] = [join(folder, "key.pem"), join(folder, "cert.pem")];
      execFileSync("openssl", [...SELF_SIGNED, "-keyout", key, "-out", certificate], {
        stdio: "ignore",
      });
      const tls = [
        "--tls-cert-file",
        certificate,
        "--tls-key-file",
        key,
        "--tls-auth-clients",
        "no",
      ];
      const redis = await TestRedis.startTls(tls);
      try {
        const url = `rediss://127.0.0.1:${redis.port}`;
        await using trusting = serveNode("ant", url, { NODE_EXTRA_CA_CERTS: certificate });
        await using wary = serveNode("bee", url);
        await logged(trusting, "connected to other nodes");
        await logged(wary, "self-signed certificate");
      } finally {
        await redis.kill();
        await rm(folder, { recursive: true });
      }
    },
  );

  it("serves alone while Redis is away, and is linked once it is there", async () => {
    const redis = await TestRedis.away();
    await using node = serveNode("ant", redis.url);
    try {
      await node.port();
      await logged(node, "no connection to other nodes");
      await redis.start();
      await logged(node, "connected to other nodes");
      node.kill("SIGTERM");
      assert.equal((await node.ended()).code, 0);
    } finally {
      await redis.kill();
    }
  });
});
