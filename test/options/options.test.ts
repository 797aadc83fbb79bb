import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { rangeOf } from "../../src/options/values.ts";
import { automaticRingBytes, resolveOptions } from "../../src/options/resolution.ts";
import {
  OPTIONS,
  schemeOf,
  type OptionName,
  type Options,
  type ResolvedOptions,
} from "../../src/options/options.ts";

const SECRET = "s".repeat(64);
const NAMES = Object.keys(OPTIONS) as OptionName[];

/** Values of texts that must be more than of some length. */
const TEXTS: Readonly<Partial<Record<OptionName, readonly [string, string]>>> = {
  clusterUrl: ["redis://h", "rediss://u:p@[::1]:6380/2"],
};

/** Options that depend on each other are given room for the one that is looked at. */
const ROOM: Options = {
  overflowBytes: 65_536,
  overflowTotalBytes: 4_294_967_296,
  tlsCert: "cert.pem",
  tlsKey: "key.pem",
};

const AUTOMATIC = {
  parallelism: () => 3,
  descriptorLimit: () => 4_096,
  memoryLimit: () => 1_073_741_824,
  secretKeyBase: () => SECRET,
  nodeName: () => "node-x",
};

function resolved(
  given: Readonly<Record<string, unknown>> = {},
  environment: Readonly<Record<string, string>> = {},
): ResolvedOptions {
  return resolveOptions(given, environment, AUTOMATIC);
}

/** Returns the limits of connections of a process that may have so many descriptors. */
function limits(descriptors: number, shards: number): number[] {
  const automatic = {
    parallelism: () => 1,
    descriptorLimit: () => descriptors,
    memoryLimit: () => 1_073_741_824,
    secretKeyBase: () => SECRET,
    nodeName: () => "node",
  };
  const { maxConnections, maxIdleConnections } = resolveOptions({ shards }, {}, automatic);
  return [maxConnections, maxIdleConnections];
}

function refused(
  given: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string>> = {},
): string {
  let message = "";
  assert.throws(
    () => resolved(given, environment),
    (error: unknown) => {
      assert.ok(error instanceof TypeError && "code" in error);
      assert.equal(error.code, "SIM_ERR_OPTION_INVALID");
      message = error.message;
      return true;
    },
  );
  return message;
}

/** Room for one option, without a value of its own. */
function roomFor(name: OptionName): Options {
  return Object.fromEntries(Object.entries(ROOM).filter(([other]) => other !== name));
}

describe("options", () => {
  for (const name of NAMES) {
    const option = OPTIONS[name];
    if (option.kind === "integer") {
      const { env, min, max, unit } = option;
      const power = "powerOfTwo" in option;
      const room = roomFor(name);

      it(`${name}: takes ${min} and ${max}, in code and as ${env}`, () => {
        for (const value of [min, max]) {
          // What must hold a pair must be as large as the largest pair.
          const large = name === "overflowBytes" ? { overflowTotalBytes: max } : room;
          assert.equal(resolved({ ...large, [name]: value })[name], value);
          assert.equal(resolved(large, { [env]: String(value) })[name], value);
        }
      });

      it(`${name}: refuses what lies beyond ${min} and ${max}, and what is no integer`, () => {
        const kind = power ? "a power of two" : "an integer";
        const must = `must be ${kind} from ${min} to ${max} (${unit}), got`;
        for (const value of [min - 1, max + 1, min + 0.5, NaN, Infinity, -min - 1]) {
          assert.equal(refused({ ...room, [name]: value }), `${name} ${must} ${String(value)}`);
        }
        assert.equal(refused({ ...room, [name]: true }), `${name} ${must} true`);
        assert.equal(refused({ ...room, [name]: String(min) }), `${name} ${must} "${min}"`);
        for (const text of [String(max + 1), `${min}.5`, "1e3", "0x10", "-1", "many", ""]) {
          const shown = /^\d+$/.test(text) ? text : JSON.stringify(text);
          assert.equal(refused(room, { [env]: text }), `${env} ${must} ${shown}`);
        }
      });

      if (power) {
        it(`${name}: refuses what is no power of two`, () => {
          assert.match(refused({ [name]: min + 1 }), /^ringBytes must be a power of two from /);
          assert.match(refused({ [name]: min * 3 }), /^ringBytes must be a power of two from /);
        });
      }
    }

    it(`${name}: a value in code wins over ${option.env}, which wins over the default`, () => {
      const [own, other] =
        option.kind === "integer"
          ? [option.min, option.max]
          : "choices" in option
            ? [option.choices[0], option.choices[1]]
            : (TEXTS[name] ?? ["a".repeat(option.minBytes), "b".repeat(option.maxBytes)]);
      const room = roomFor(name);
      const large = { ...room, ...(name === "overflowBytes" && { overflowTotalBytes: other }) };
      assert.equal(resolved({ ...large, [name]: own }, { [option.env]: String(other) })[name], own);
      assert.equal(resolved(large, { [option.env]: String(other) })[name], other);
      const undefinedIsAbsent = { ...large, [name]: undefined };
      assert.equal(resolved(undefinedIsAbsent, { [option.env]: String(other) })[name], other);
      if (option.default !== "auto") assert.equal(resolved()[name], option.default);
    });

    it(`${name}: "auto" is taken only where the default is auto`, () => {
      if (option.default === "auto") {
        const automatic = resolved()[name];
        // The engine is chosen after the options are resolved.
        if (name === "engine") assert.equal(automatic, "auto");
        else assert.notEqual(automatic, "auto");
        assert.equal(resolved({ [name]: "auto" })[name], automatic);
        assert.equal(resolved({}, { [option.env]: "auto" })[name], automatic);
      } else if (option.kind === "integer" || "choices" in option) {
        assert.match(refused({ [name]: "auto" }), /, got "auto"$/);
        assert.match(refused({}, { [option.env]: "auto" }), /, got "auto"$/);
      }
    });
  }

  it("has Phoenix's defaults where Phoenix has the option", () => {
    const { maxChannels, idleTimeoutMs, shutdownMs, drainLimitMs } = resolved();
    assert.deepEqual(
      { maxChannels, idleTimeoutMs, shutdownMs, drainLimitMs },
      {
        maxChannels: 100,
        idleTimeoutMs: 60_000,
        shutdownMs: 5_000,
        drainLimitMs: 30_000,
      },
    );
    const { longpollWindowMs, longpollTimeoutMs, longpollMaxAgeMs } = resolved();
    const twoWeeksMs = 14 * 24 * 60 * 60 * 1_000;
    assert.deepEqual(
      [longpollWindowMs, longpollTimeoutMs, longpollMaxAgeMs],
      [10_000, 2_000, twoWeeksMs],
    );
    const { presencePeriodMs, presenceSilentPeriods, presenceDownMs, presencePermdownMs } =
      resolved();
    assert.deepEqual(
      [presencePeriodMs, presenceSilentPeriods, presenceDownMs, presencePermdownMs],
      [1_500, 10, 30_000, 1_200_000],
    );
  });

  it("reads underscores and blanks around numbers in variables", () => {
    assert.equal(
      resolved({}, { SIMURGH_MAX_FRAME_BYTES: " 1_000_000\n" }).maxFrameBytes,
      1_000_000,
    );
  });

  it("takes of clusterUrl what leads to a server, and does not show what it got", () => {
    for (const url of ["none", "redis://h", "redis://:p@h:1/0", "rediss://u:p@[::1]/"]) {
      assert.equal(resolved({ clusterUrl: url }).clusterUrl, url);
    }
    const must =
      "clusterUrl must be none or a URL such as redis://user:password@host:6379 or rediss://… (TLS), got";
    assert.equal(refused({ clusterUrl: "localhost" }), `${must} an invalid URL`);
    assert.equal(refused({ clusterUrl: "http://u:secret@h" }), `${must} the scheme http:`);
    assert.equal(refused({ clusterUrl: "redis:///0" }), `${must} a URL without a host`);
    const path = `${must} a path that is not a database number`;
    assert.equal(refused({ clusterUrl: "redis://h/zero" }), path);
  });

  it("takes a certificate only together with its key", () => {
    const [tlsCert, tlsKey] = ["cert.pem", "key.pem"];
    assert.equal(
      refused({ tlsCert }),
      "tlsCert must be set together with tlsKey (SIMURGH_TLS_KEY), got it alone",
    );
    assert.equal(
      refused({}, { SIMURGH_TLS_KEY: tlsKey }),
      "SIMURGH_TLS_KEY must be set together with tlsCert (SIMURGH_TLS_CERT), got it alone",
    );
    assert.equal(schemeOf(resolved({ tlsCert }, { SIMURGH_TLS_KEY: tlsKey })), "https");
    assert.equal(schemeOf(resolved()), "http");
  });

  it("takes for a node's name none that nameless nodes of Phoenix have", () => {
    const must = "nodeName must be unique in the cluster, or auto, got";
    for (const nodeName of ["nonode", "nonode@nohost"]) {
      assert.equal(refused({ nodeName }), `${must} ${nodeName}`);
    }
    assert.equal(resolved({ nodeName: "nonode-2" }).nodeName, "nonode-2");
  });

  it("counts the bytes of texts, not their letters", () => {
    const host = "é".repeat(127);
    assert.equal(resolved({ host }).host, host);
    const tooLong = "é".repeat(128);
    assert.equal(
      refused({ host: tooLong }),
      `host must be a string of 1 to 255 (bytes), got 256: "${tooLong}"`,
    );
    assert.equal(refused({ host: "" }), 'host must be a string of 1 to 255 (bytes), got 0: ""');
    assert.equal(refused({ host: 7 }), "host must be a string of 1 to 255 (bytes), got number");
  });

  it("names the choices of an option that has some", () => {
    assert.equal(
      refused({}, { SIMURGH_LOG_LEVEL: "loud" }),
      'SIMURGH_LOG_LEVEL must be one of debug, info, warn, error, silent, got "loud"',
    );
    assert.equal(
      refused({ logLevel: 3 }),
      "logLevel must be one of debug, info, warn, error, silent, got 3",
    );
  });

  it("never shows a secret", () => {
    const hidden = "hunter2";
    const advice = "to make one: node -p 'crypto.randomUUID() + crypto.randomUUID()'";
    const short = refused({}, { SIMURGH_SECRET_KEY_BASE: hidden });
    const rule = "must be a string of 64 to 4096 (bytes)";
    assert.equal(short, `SIMURGH_SECRET_KEY_BASE ${rule}, got 7; ${advice}`);
    const long = refused({ secretKeyBase: hidden.repeat(600) });
    assert.equal(long, `secretKeyBase ${rule}, got 4200; ${advice}`);
    assert.equal(
      refused({ secretKeyBase: [hidden] }),
      `secretKeyBase ${rule}, got object; ${advice}`,
    );
  });

  it("refuses a total that holds less than one pair", () => {
    assert.equal(
      refused({ overflowBytes: 131_072, overflowTotalBytes: 131_071 }),
      "overflowTotalBytes must be at least overflowBytes (131072 bytes), got 131071 (bytes)",
    );
    assert.equal(
      refused({}, { SIMURGH_OVERFLOW_BYTES: "100000000" }),
      "overflowTotalBytes must be at least SIMURGH_OVERFLOW_BYTES (100000000 bytes), got 67108864 (bytes)",
    );
    assert.equal(
      resolved({ overflowBytes: 131_072, overflowTotalBytes: 131_072 }).overflowTotalBytes,
      131_072,
    );
  });

  it("leaves a reserve of the descriptors: for threads, files, and what is accepted at the limit", () => {
    assert.deepEqual(limits(1_024, 2), [1_024 - 32 - 2 * 16 - 128, 832]);
    assert.deepEqual(limits(1_048_576, 4), [1_048_576 - 32 - 4 * 16 - 1_024, 16_384]);
    assert.deepEqual(limits(20, 1), [1, 1]);
    assert.equal(resolved({ maxConnections: 7 }).maxIdleConnections, 7);
  });

  it("lets the process take 85 % of the memory, and half of the connections be without a channel", () => {
    const automatic = { ...AUTOMATIC, memoryLimit: () => 1_000_000_000 };
    assert.equal(resolveOptions({}, {}, automatic).maxResidentBytes, 850_000_000);
    assert.equal(resolved({ maxConnections: 9 }).maxUnjoinedConnections, 4);
    assert.equal(resolved({ maxConnections: 1 }).maxUnjoinedConnections, 1);
  });

  it("lets buffers take a quarter of the memory, but at least 1 MiB", () => {
    for (const [bytes, most] of [
      [1_073_741_827, 268_435_456],
      [1_000_000, 1_048_576],
    ] as const) {
      const automatic = { ...AUTOMATIC, memoryLimit: () => bytes };
      assert.equal(resolveOptions({}, {}, automatic).maxBufferBytes, most);
    }
  });

  it("asks for automatic values only where none is given", () => {
    const asked: string[] = [];
    const automatic = {
      parallelism: () => asked.push("parallelism"),
      descriptorLimit: () => asked.push("descriptorLimit"),
      memoryLimit: () => asked.push("memoryLimit"),
      secretKeyBase: () => {
        asked.push("secretKeyBase");
        return SECRET;
      },
      nodeName: () => {
        asked.push("nodeName");
        return "node";
      },
    };
    const given = {
      shards: 2,
      taskThreads: 1,
      maxConnections: 1,
      maxBufferBytes: 1_048_576,
      maxResidentBytes: 1_048_576,
      secretKeyBase: SECRET,
      nodeName: "ant",
    };
    resolveOptions(given, {}, automatic);
    assert.deepEqual(asked, []);
    resolveOptions({}, {}, automatic);
    assert.deepEqual(asked, [
      "parallelism",
      "parallelism",
      "descriptorLimit",
      "memoryLimit",
      "memoryLimit",
      "nodeName",
      "secretKeyBase",
    ]);
  });

  it("freezes the result", () => {
    const options = resolved();
    assert.deepEqual(Object.keys(options).toSorted(), NAMES.toSorted());
    assert.ok(Object.isFrozen(options));
  });

  it("gives every ring its share of 256 MiB, within 64 KiB and 1 MiB", () => {
    assert.equal(automaticRingBytes(4), 1_048_576);
    assert.equal(automaticRingBytes(16), 1_048_576);
    assert.equal(automaticRingBytes(17), 524_288);
    assert.equal(automaticRingBytes(64), 65_536);
    assert.equal(automaticRingBytes(67), 65_536);
    for (let members = 4; members <= 67; members += 1) {
      const bytes = automaticRingBytes(members);
      assert.ok(Number.isInteger(Math.log2(bytes)), `${bytes} bytes for ${members}`);
    }
    // 3 shards, main, the link, a spare and a keeper of histories.
    assert.equal(resolved().ringBytes, automaticRingBytes(7));
  });

  it("gives each thread 1 MiB of the log queue, and all at most 16", () => {
    for (const [shards, mib] of [
      [1, 5],
      [12, 16],
      [64, 16],
    ] as const) {
      assert.equal(resolved({ shards }).logQueueBytes, mib * 1_048_576);
    }
  });

  it("refuses an option or a variable that there is not, and names the nearest", () => {
    const unknown = "option must be a server option, got";
    assert.equal(refused({ shard: 4 }), `${unknown} shard; did you mean shards?`);
    assert.equal(refused({ constructor: 4 }), `${unknown} constructor`);
    assert.match(
      refused({}, { SIMURGH_SHARD: "4" }),
      /SIMURGH_SHARD \(did you mean SIMURGH_SHARDS\?\)$/,
    );
  });

  it("takes no address of a service for the port, unless the port is given", () => {
    const environment = { SIMURGH_PORT: "tcp://10.0.0.11:4000" };
    assert.match(refused({}, environment), /^SIMURGH_PORT must be a port, got tcp:.*Kubernetes/);
    assert.equal(resolved({ port: 4001 }, environment).port, 4001);
  });

  it("says the range of each option in words", () => {
    assert.equal(rangeOf(OPTIONS.shards), "1 to 64");
    assert.equal(rangeOf(OPTIONS.ringBytes), "4096 to 67108864, a power of two");
    assert.equal(rangeOf(OPTIONS.secretKeyBase), "64 to 4096 bytes");
    assert.equal(rangeOf(OPTIONS.logLevel), "debug, info, warn, error, silent");
  });

  it("has one variable for each option, named after it", () => {
    for (const name of NAMES) {
      const words = name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
      assert.equal(OPTIONS[name].env, `SIMURGH_${words}`);
      assert.ok(OPTIONS[name].about.endsWith(".") && OPTIONS[name].atLimit.endsWith("."));
    }
  });
});
