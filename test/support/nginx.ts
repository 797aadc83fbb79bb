/**
 * nginx for a test: with files of its own, without a service, ended with the test.
 *
 * Runs on: the test's thread; nginx is a process of its own.
 */

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { within } from "./deadline.ts";

const PROGRAM = "/usr/sbin/nginx";
const READY_MS = 20_000;
/** Modules that otherwise create folders below /var. */
const MODULES = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

/** Why nginx is not available here, or false if it is. For `skip` of a test. */
export const noNginx: string | false = existsSync(PROGRAM)
  ? false
  : `${PROGRAM} is missing; on Debian, apt-get install nginx-light`;

/** An nginx that runs, or that checks its configuration. */
export class TestNginx {
  readonly #folder = mkdtempSync(join(tmpdir(), "simurgh-nginx-"));
  #process: ChildProcess | undefined;

  /** @param http - directives of the http block */
  constructor(http: string) {
    const folders = MODULES.map((name) => `${name}_temp_path ${join(this.#folder, name)};`);
    const lines = [
      "daemon off;",
      "master_process off;",
      `pid ${join(this.#folder, "pid")};`,
      "error_log stderr notice;",
      "events {}",
      `http {\naccess_log off;\n${folders.join("\n")}\n${http}}`,
    ];
    writeFileSync(join(this.#folder, "nginx.conf"), `${lines.join("\n")}\n`);
  }

  /** Checks the configuration. @returns the exit code and all that nginx says about it */
  check(): { readonly code: number | null; readonly said: string } {
    const { status, stderr } = spawnSync(PROGRAM, [...this.#words(), "-t"], { encoding: "utf8" });
    return { code: status, said: stderr };
  }

  /** Starts it. Resolves when it listens. */
  async start(): Promise<void> {
    const child = spawn(PROGRAM, this.#words(), { stdio: ["ignore", "ignore", "pipe"] });
    this.#process = child;
    let output = "";
    const ready = new Promise<void>((resolve, reject) => {
      child.stderr.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        // The line with its version comes after it has begun to listen.
        if (/notice.* nginx\/\d/.test(output)) resolve();
      });
      child.on("exit", () => reject(new Error(`nginx ended: ${output}`)));
      child.on("error", reject);
    });
    await within(ready, "nginx", READY_MS);
  }

  /** Ends it, and removes its files. */
  async end(): Promise<void> {
    const child = this.#process;
    if (child !== undefined && child.exitCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await within(ended, "the end of nginx");
    }
    rmSync(this.#folder, { recursive: true });
  }

  #words(): readonly string[] {
    return ["-e", "stderr", "-p", this.#folder, "-c", join(this.#folder, "nginx.conf")];
  }
}
