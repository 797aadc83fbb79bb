/**
 * The packed package as other tools use it: CommonJS, TypeScript, tsx, esbuild, `node --watch`, and unusual folders.
 *
 * Runs on: the test's thread; each program is a process of its own.
 * Slow: it installs the packed package.
 */

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { build } from "esbuild";

import { within } from "./support/deadline.ts";
import { InstalledPackage } from "./support/installed.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const NODE_TYPES = join(ROOT, "node_modules/@types/node");
const OLD_TYPESCRIPT = "5.4.5";
const NEW_TYPESCRIPT = "7.0.2";
const HAS_REQUIRE = process.features.require_module;
/** The flag with which a Node.js that can require modules behaves like an older one. */
const NO_REQUIRE = "--no-experimental-require-module";
const NODE_MAJOR = Number.parseInt(process.versions.node, 10);
/** Before, `node --watch` does not see what only worker threads import. */
const WATCHES_THREADS = NODE_MAJOR >= 24;

/** The definitions of an app, after its imports. Its route says `up`. */
const DEFINITIONS = `
  const socket = defineSocket({ connect: () => ok({}) });
  const room = defineChannel(socket, { join: () => ok({}) });
  const app = defineEndpoint({
    sockets: { "/socket": { socket, channels: { "room:*": room } } },
    routes: { "GET /": () => ({ status: 200, body: "up" }) },
  });`;
const NAMES = "{ defineChannel, defineEndpoint, defineSocket, ok }";
const APP = `import ${NAMES} from "simurgh";${DEFINITIONS}\nexport default app;\n`;
const APP_CJS = `const ${NAMES} = require("simurgh");${DEFINITIONS}\nmodule.exports = app;\n`;
const APP_COMPILED = `Object.defineProperty(exports, "__esModule", { value: true });
const ${NAMES} = require("simurgh");${DEFINITIONS}\nexports.default = app;\n`;
/** TypeScript that has to be compiled, not only stripped. */
const APP_ENUM = `enum Said { Up = "up" }\n${APP.replace('"up"', "Said.Up")}`;

/** Serves an app on two shards, prints what its route says, and closes the server; or prints the error. */
const SERVE_ONCE = `
  const options = { host: "127.0.0.1", port: 0, shards: 2, logLevel: "error" };
  const server = await serve({ app, ...options });
  console.log(await (await fetch("http://127.0.0.1:" + server.port)).text());
  await server.close();`;
const MAIN = `import { serve } from "simurgh";
  try {
    const app = new URL(process.argv[2], import.meta.url);
    ${SERVE_ONCE}
  } catch ({ code, message }) {
    console.log(code, message);
  }\n`;
const MAIN_TS = MAIN.replace("process.argv[2]", "process.argv[2] as string").replace(
  "catch ({ code, message }) {",
  "catch (error) { const { code, message } = error as { code: string; message: string };",
);
/** The same in CommonJS. */
const MAIN_CJS = `const { join } = require("node:path");
  (async () => {
    const { serve } = await import("simurgh");
    const app = join(__dirname, process.argv[2]);
    ${SERVE_ONCE}
  })().catch(({ code, message }) => console.log(code, message));\n`;
const REQUIRING = `try {
    console.log(typeof require("simurgh").serve, typeof require("simurgh/testing").connect,
      typeof require("simurgh/token").Token, typeof require("simurgh/client").Client,
      typeof require("simurgh/raw").defineRawSocket, typeof require("simurgh/postgres").postgresTransport);
  } catch ({ code, message }) {
    console.log(code, message);
  }\n`;
const WATCHED = `import { serve } from "simurgh";
  ${WATCHES_THREADS ? "" : 'import "./watched-app.js";'}
  const app = new URL("./watched-app.js", import.meta.url);
  const options = { host: "127.0.0.1", port: 0, shards: 2, logLevel: "error" };
  const server = await serve({ app, ...options });
  console.log(await (await fetch("http://127.0.0.1:" + server.port)).text());
  process.once("SIGTERM", () => void server.close());\n`;

const project = new InstalledPackage();

describe("the packed package, used from CommonJS", () => {
  before(() => {
    const compilers = [OLD_TYPESCRIPT, NEW_TYPESCRIPT].map(
      (release) => `typescript-${release}@npm:typescript@${release}`,
    );
    project.install([...compilers, "tsx@4"]);
    project.write({
      "main.js": MAIN,
      "main.ts": MAIN_TS,
      "main.cjs": MAIN_CJS,
      "requiring.cjs": REQUIRING,
      "app.js": APP,
      "app.ts": `${APP}const count: number = 1;\nvoid count;\n`,
      "app.cjs": APP_CJS,
      "compiled.cjs": APP_COMPILED,
    });
  });

  project.it("is required, with all its entry points, by a Node.js that can", (test) => {
    if (!HAS_REQUIRE) return test.skip(`Node.js ${process.versions.node} cannot require modules`);
    const functions = "function function object function function function\n";
    assert.equal(project.node(".", "requiring.cjs"), functions);
  });

  project.it("says how to install the package that it needs for PostgreSQL", () => {
    project.write({
      "postgres.js": `import { loadPg } from "./node_modules/simurgh/dist/src/postgres/library.js";
        await loadPg().catch(({ code, message }) => console.log(code, message));`,
    });
    assert.equal(
      project.node(".", "postgres.js"),
      "SIM_ERR_CLIENT_PACKAGE package pg must be installed to use PostgreSQL (npm install pg), got none\n",
    );
  });

  project.it("names import() where it cannot be required", () => {
    const flags = HAS_REQUIRE ? [NO_REQUIRE] : [];
    assert.match(
      project.node(".", ...flags, "requiring.cjs"),
      /^ERR_REQUIRE_ESM .*\n.* dynamic import\(\) which is available in all CommonJS modules/,
    );
    assert.equal(project.node(".", ...flags, "main.cjs", "app.js"), "up\n");
  });

  for (const [app, about] of [
    ["app.js", "a module"],
    ["app.cjs", "CommonJS"],
    ["compiled.cjs", "CommonJS that was compiled from a module"],
  ] as const) {
    project.it(`serves an app that is ${about}`, (test) => {
      if (!HAS_REQUIRE && app !== "app.js")
        return test.skip(`Node.js ${process.versions.node} cannot require modules`);
      assert.equal(project.node(".", "main.cjs", app), "up\n");
    });
  }

  project.it(
    "says which setting is missing if the project is CommonJS, and the app a module",
    () => {
      project.write({
        "commonjs/package.json": '{ "type": "commonjs" }',
        "commonjs/app.js": APP,
        "commonjs/main.cjs": MAIN_CJS,
      });
      assert.match(
        project.node("commonjs", "main.cjs", "app.js"),
        /^SIM_ERR_APP_MODULE app module must be free .*; set "type": "module" in its package\.json/m,
      );
    },
  );
});

/** Compiles files with settings. @returns what the compiler says */
function compiled(release: string, files: string, ...flags: readonly string[]): string {
  const compiler = join(project.folder, "node_modules", `typescript-${release}`, "bin/tsc");
  const words = [compiler, "--noEmit", "--strict", "--target", "es2022", "--types", "node"];
  return project.node("typed", ...words, "--skipLibCheck", ...flags, ...files.split(" "));
}

describe("the packed package, used from TypeScript", () => {
  before(() => {
    const use = 'serve({ app: "app.js" }).then(({ port }) => port.toFixed());\n';
    project.write({
      "typed/package.json": '{ "type": "module" }',
      "typed/module.mts": `import { serve } from "simurgh";\nimport { Client } from "simurgh/client";\n${use}void Client;\n`,
      "typed/importing.cts": `void import("simurgh").then(({ serve }) => ${use.trim().slice(0, -1)});\n`,
      "typed/static.cts": `import { serve } from "simurgh";\n${use}`,
    });
    mkdirSync(join(project.folder, "typed/node_modules/@types"), { recursive: true });
    symlinkSync(NODE_TYPES, join(project.folder, "typed/node_modules/@types/node"));
  });

  for (const release of [OLD_TYPESCRIPT, NEW_TYPESCRIPT]) {
    for (const [resolution, module] of [
      ["node16", "node16"],
      ["nodenext", "nodenext"],
      ["bundler", "esnext"],
    ] as const) {
      project.it(`has its types with TypeScript ${release} and ${resolution}`, () => {
        const flags = ["--module", module, "--moduleResolution", resolution];
        assert.equal(compiled(release, "module.mts importing.cts", ...flags), "");
      });
    }
  }

  project.it("is imported by a file that compiles to CommonJS if the compiler allows it", () => {
    assert.equal(compiled(NEW_TYPESCRIPT, "static.cts", "--module", "nodenext"), "");
    for (const release of [OLD_TYPESCRIPT, NEW_TYPESCRIPT]) {
      assert.match(
        compiled(release, "static.cts", "--module", "node16"),
        /error TS1479: .* dynamic 'import\("simurgh"\)' call/,
      );
    }
  });
});

describe("the packed package, used with tools", () => {
  project.it("serves TypeScript from a program run by tsx", () => {
    const loader = pathToFileURL(join(project.folder, "node_modules/tsx/dist/loader.mjs")).href;
    assert.equal(project.node(".", "node_modules/tsx/dist/cli.mjs", "main.ts", "./app.ts"), "up\n");
    assert.equal(project.node(".", "--import", loader, "main.ts", "./app.ts"), "up\n");
  });

  project.it("serves TypeScript that only tsx compiles, or says that it cannot be stripped", () => {
    project.write({ "enum.ts": APP_ENUM });
    const said = project.node(".", "node_modules/tsx/dist/cli.mjs", "main.ts", "./enum.ts");
    if (NODE_MAJOR === 20)
      assert.match(said, /^SIM_ERR_APP_MODULE .* whose types can be stripped, got .* enum /);
    else assert.equal(said, "up\n");
  });

  for (const format of ["esm", "cjs"] as const) {
    project.it(
      `serves an app that esbuild has bundled (${format}) without the package`,
      async (test) => {
        if (!HAS_REQUIRE && format === "cjs")
          return test.skip(`Node.js ${process.versions.node} cannot require modules`);
        const file = `bundle.${format === "esm" ? "mjs" : "cjs"}`;
        project.write({
          "parts/app.ts": `${APP}import "./part.ts";\n`,
          "parts/part.ts": "export enum Part { One }\n",
        });
        await build({
          entryPoints: [join(project.folder, "parts/app.ts")],
          outfile: join(project.folder, file),
          bundle: true,
          platform: "node",
          format,
          external: ["simurgh"],
          logLevel: "silent",
        });
        assert.equal(project.node(".", "main.js", `./${file}`), "up\n");
      },
    );
  }

  project.it("is restarted by node --watch when the program or an app module changes", async () => {
    project.write({ "watched.js": WATCHED, "watched-app.js": APP });
    const child = spawn(process.execPath, ["--watch", "watched.js"], { cwd: project.folder });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => (output += String(chunk)));
    const printed = async (pattern: RegExp): Promise<void> => {
      while (!pattern.test(output)) {
        await Promise.race([once(child.stdout, "data"), once(child.stderr, "data")]);
      }
    };
    try {
      await within(printed(/^up$/m), "the first start");
      project.write({ "watched-app.js": APP.replace('"up"', '"changed"') });
      await within(printed(/^changed$/m), "a restart with the changed app");
      project.write({
        "watched.js": WATCHED.replace("await serve(", 'console.log("anew");\n await serve('),
      });
      await within(printed(/^anew$/m), "a restart with the changed program");
    } catch (cause) {
      throw new Error(`${String(cause)}; printed: ${output}`, { cause });
    } finally {
      child.kill("SIGTERM");
    }
  });
});

/** Why no file system can be made read-only here; false if one can. */
const noReadOnly: string | false =
  spawnSync("unshare", ["-m", "mount", "-o", "remount,bind,ro", "/"]).status === 0
    ? false
    : "it needs root, and unshare, to mount a file system that is read-only";

/** Runs the program as another user than root, with a file system that is read-only but for one folder. */
function runReadOnly(folder: string, temporary: string): string {
  const script = `
    mount --bind "$2" "$2" && mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && mount -o remount,bind,ro / &&
    cd "$1" &&
    exec setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/ TMPDIR="$2" "$3" main.js ./app.js`;
  const words = ["-m", "sh", "-c", script, "sh", folder, temporary, process.execPath];
  const { stdout, stderr } = spawnSync("unshare", words, { encoding: "utf8", timeout: 60_000 });
  return stdout + stderr;
}

describe("the packed package, in unusual folders", () => {
  project.it("serves from a path with spaces, signs and letters beyond ASCII", () => {
    const path = "häuser & straßen 北京 #1 100% 'q'";
    project.installInto(path);
    project.write({
      [`${path}/main.js`]: MAIN,
      [`${path}/app.ts`]: readFileSync(join(project.folder, "app.ts"), "utf8"),
    });
    assert.equal(project.node(path, "main.js", "./app.ts"), "up\n");
  });

  project.it("serves from a file system that is read-only, as a user other than root", (test) => {
    if (noReadOnly !== false) return test.skip(noReadOnly);
    project.installInto("read-only");
    project.write({ "read-only/main.js": MAIN, "read-only/app.js": APP });
    const folder = join(project.folder, "read-only");
    const temporary = join(project.folder, "temporary");
    mkdirSync(temporary);
    chmodSync(project.folder, 0o755);
    chmodSync(temporary, 0o777);

    const said = runReadOnly(folder, folder);
    const needsCopy = /glibc/.test(said);
    if (needsCopy) {
      assert.match(
        said,
        /^SIM_ERR_ENGINE_UNAVAILABLE .*must be writable, .*set TMPDIR to a writable/,
      );
      assert.equal(runReadOnly(folder, temporary), "up\n");
    } else assert.equal(said, "up\n");
    // As root, while the image is built.
    assert.equal(project.node("read-only", "main.js", "./app.js"), "up\n");
    assert.equal(runReadOnly(folder, folder), "up\n");
  });
});

after(() => project.remove());
