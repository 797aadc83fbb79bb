import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { OPTIONS } from "../../src/options/options.ts";
import { checkVariables, OTHER_VARIABLES } from "../../src/options/variables.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const RULE =
  "environment variables that start with SIMURGH_ must be options (see `simurgh serve --help-all`), got";

function refused(environment: Readonly<Record<string, string>>, got: string): void {
  assert.throws(() => checkVariables(environment), {
    name: "TypeError",
    code: "SIM_ERR_OPTION_INVALID",
    message: `${RULE} ${got}`,
  });
}

describe("variables that start with SIMURGH_", () => {
  it("may be those of the options, and the few others that are known", () => {
    const options = Object.values(OPTIONS).map(({ env }) => env);
    for (const name of [...options, ...OTHER_VARIABLES]) checkVariables({ [name]: "x" });
  });

  it("are refused with the nearest option if they are unknown", () => {
    refused({ SIMURGH_SHARD: "4" }, "SIMURGH_SHARD (did you mean SIMURGH_SHARDS?)");
    refused({ SIMURGH_SHRADS: "4" }, "SIMURGH_SHRADS (did you mean SIMURGH_SHARDS?)");
    refused({ SIMURGH_shards: "4" }, "SIMURGH_shards (did you mean SIMURGH_SHARDS?)");
    refused({ SIMURGH_DRAIN: "" }, "SIMURGH_DRAIN (did you mean SIMURGH_DRAIN_MS?)");
    refused({ SIMURGH_: "" }, "SIMURGH_");
    refused({ SIMURGH_XYZ: "" }, "SIMURGH_XYZ");
  });

  it("are named all at once, and without their values", () => {
    const environment = { SIMURGH_SECRET_KEYBASE: "hunter2", SIMURGH_PROT: "1", PATH: "/bin" };
    const got =
      "SIMURGH_PROT (did you mean SIMURGH_PORT?), SIMURGH_SECRET_KEYBASE (did you mean SIMURGH_SECRET_KEY_BASE?)";
    refused(environment, got);
  });

  it("are those of others if they start in another way", () => {
    checkVariables({ SIMURGHS: "1", simurgh_shard: "1", MY_SIMURGH_SHARD: "1", SIMURGH: "1" });
  });

  it("may be those that Kubernetes sets for services named after the server", () => {
    checkVariables({
      SIMURGH_SERVICE_HOST: "10.0.0.11",
      SIMURGH_SERVICE_PORT: "4000",
      SIMURGH_SERVICE_PORT_HTTP: "4000",
      SIMURGH_PORT_4000_TCP: "tcp://10.0.0.11:4000",
      SIMURGH_PORT_4000_TCP_PROTO: "tcp",
      SIMURGH_PORT_4000_TCP_PORT: "4000",
      SIMURGH_PORT_4000_TCP_ADDR: "10.0.0.11",
      SIMURGH_REDIS_PORT: "tcp://10.0.0.12:6379",
      SIMURGH_REDIS_SERVICE_HOST: "10.0.0.12",
    });
    refused({ SIMURGH_PORT_4000: "1" }, "SIMURGH_PORT_4000");
  });

  it("are options, or listed as others, wherever this repository has one", () => {
    const known = new Set<string>([
      ...Object.values(OPTIONS).map(({ env }) => env),
      ...OTHER_VARIABLES,
    ]);
    const files = ["scripts", "native-bench", ".ci"].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name)),
    );
    files.push(join(ROOT, "package.json"), join(ROOT, "CONTRIBUTING.md"), join(ROOT, "README.md"));
    const found = files.flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(/\bSIMURGH_[A-Z0-9_]*[A-Z0-9]\b/g)].map(
        ([name]) => name,
      ),
    );
    assert.deepEqual(
      found.filter((name) => !known.has(name)),
      [],
    );
    assert.ok(OTHER_VARIABLES.every((name) => found.includes(name)));
  });
});
