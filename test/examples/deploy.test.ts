/**
 * The deployment guide: its unit, image and manifest, and the command that all of them start.
 *
 * Runs on: the test's thread; the server is a process of its own.
 */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { OPTIONS } from "../../src/options/options.ts";
import { checkText } from "../../src/options/values.ts";
import { within } from "../support/deadline.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const FOLDER = mkdtempSync(join(tmpdir(), "simurgh-test-"));
const UNIT = read("chat.service");
const DOCKERFILE = read("Dockerfile");
const MANIFEST = read("kubernetes.yaml");
/** The time that a server needs to stop at worst (s), without a delay before the drain. */
const WORST_S =
  (OPTIONS.drainLimitMs.default + OPTIONS.drainMs.default + 4 * OPTIONS.shutdownMs.default) /
    1_000 +
  5;
const noSystemd: string | false =
  spawnSync("systemd-analyze", ["--version"]).status === 0 ? false : "systemd-analyze is missing";

function read(name: string): string {
  return readFileSync(join(ROOT, "test/examples/deploy", name), "utf8");
}

/** The part of a text that a pattern's group matches. */
function find(text: string, pattern: RegExp): string {
  const found = pattern.exec(text)?.[1];
  assert.ok(found !== undefined, `${pattern} is in\n${text}`);
  return found;
}

/** Runs the health check of the image against a port. @returns its exit code */
async function healthOf(port: string): Promise<number | null> {
  const [, ...args] = JSON.parse(find(DOCKERFILE, /^HEALTHCHECK .* CMD (.*)$/m)) as string[];
  const here = args.map((arg) => arg.replace(":4000/", `:${port}/`));
  assert.notDeepEqual(here, args, "it asks the port of the image");
  const check = spawn(process.execPath, here, { stdio: "inherit" });
  const [code] = (await within(once(check, "exit"), "the end of the health check")) as [number];
  return code;
}

describe("the deployment guide", () => {
  after(() => rmSync(FOLDER, { recursive: true }));

  it("has a unit that systemd accepts without a complaint", { skip: noSystemd }, () => {
    const file = join(FOLDER, "chat.service");
    writeFileSync(file, UNIT.replace("/usr/bin/node", process.execPath));
    const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", file], {
      encoding: "utf8",
    });
    assert.deepEqual({ status, said: stdout + stderr }, { status: 0, said: "" });
  });

  it("makes a file with a secret that the server accepts", () => {
    const command = find(read("README.md"), /^(node -p '.*') \|$/m);
    const { status, stdout } = spawnSync("sh", ["-c", command], { encoding: "utf8" });
    assert.equal(status, 0);
    const [name = "", secret] = stdout.trimEnd().split("=");
    assert.equal(name, OPTIONS.secretKeyBase.env);
    assert.equal(checkText(name, OPTIONS.secretKeyBase, secret), secret);
  });

  it("starts the unit by a file that it has copied to systemd's folder", () => {
    const [, path = ""] = /^# (\/etc\/systemd\/system\/)chat\.service$/m.exec(UNIT) ?? [];
    const steps = read("README.md");
    const order = [`cp chat.service ${path}`, "systemctl daemon-reload", "enable --now chat"];
    const places = order.map((step) => steps.indexOf(step));
    assert.ok(!places.includes(-1), order[places.indexOf(-1)]);
    assert.deepEqual(
      places,
      places.toSorted((left, right) => left - right),
    );
  });

  it("runs the server as a user, and lets it open enough files", () => {
    assert.match(UNIT, /^User=\w+$/m);
    assert.ok(Number(find(UNIT, /^LimitNOFILE=(\d+)$/m)) >= 100_000);
    assert.match(DOCKERFILE, /^USER node$/m);
  });

  it("builds the image in two stages, the last of which installs nothing and belongs to root", () => {
    const [, build = "", last = "", ...more] = DOCKERFILE.split(/^FROM /m);
    assert.deepEqual(more, []);
    assert.match(build, /^RUN npm ci --omit=dev$/m);
    assert.doesNotMatch(last, /^RUN|--chown/m);
    assert.ok(last.indexOf("USER node") > last.lastIndexOf("COPY "));
    const bases = [build, last].map((stage) => find(stage, /^(\S+)/));
    assert.equal(bases[0], bases[1], "the same C library, and the same Node.js");
  });

  it("gives the server more time to stop than it needs", () => {
    const delayMs = Number(find(MANIFEST, /name: SIMURGH_DRAIN_DELAY_MS\n\s+value: "(\d+)"/));
    const graceS = Number(find(MANIFEST, /terminationGracePeriodSeconds: (\d+)/));
    assert.ok(Number(find(UNIT, /^TimeoutStopSec=(\d+)$/m)) > WORST_S);
    assert.ok(graceS > WORST_S + delayMs / 1_000);
    assert.ok(
      read("README.md").includes(`4 × \`SIMURGH_SHUTDOWN_MS\` + 5 s: ${WORST_S} s by default`),
    );
  });

  it("starts a command that answers the probes, and ends in order on SIGTERM", async () => {
    const [node, ...words] = find(UNIT, /^ExecStart=(.*)$/m).split(" ");
    const image = JSON.parse(find(DOCKERFILE, /^CMD (.*)$/m)) as string[];
    assert.equal(node, "/usr/bin/node");
    assert.deepEqual(image, ["node", ...words]);

    const modules = join(FOLDER, "node_modules");
    mkdirSync(join(modules, ".bin"), { recursive: true });
    symlinkSync(ROOT, join(modules, "simurgh"));
    symlinkSync("../simurgh/dist/src/cli/simurgh.js", join(modules, ".bin/simurgh"));
    writeFileSync(join(FOLDER, "package.json"), '{ "type": "module" }');
    copyFileSync(fileURLToPath(new URL("deploy/app.js", import.meta.url)), join(FOLDER, "app.js"));
    const variables = { SIMURGH_PORT: "0", SIMURGH_SHARDS: "1", SIMURGH_LOG_LEVEL: "error" };
    const server = spawn(process.execPath, words, {
      cwd: FOLDER,
      env: { ...process.env, ...variables },
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      let output = "";
      while (!/localhost:\d+/.test(output)) {
        const [text] = (await within(once(server.stdout, "data"), "the address")) as [Buffer];
        output += text.toString();
      }
      const port = find(output, /localhost:(\d+)/);
      const probes = [...MANIFEST.matchAll(/httpGet: \{ path: (\S+), port: 4000 \}/g)];
      assert.equal(probes.length, 2);
      for (const [, path] of probes) {
        const { status } = await fetch(`http://127.0.0.1:${port}${path}`);
        assert.equal(status, 200, path);
      }
      assert.equal(await healthOf(port), 0);
      const exited = once(server, "exit");
      server.kill("SIGTERM");
      assert.deepEqual(await within(exited, "the end of the server"), [0, null]);
      assert.equal(await healthOf(port), 1);
    } finally {
      server.kill("SIGKILL");
    }
  });
});
