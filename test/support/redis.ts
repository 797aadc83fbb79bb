/**
 * A Redis server for a test: on its own port, in memory only, ended with the test.
 *
 * Runs on: the test's thread; the server is a process of its own.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createClient, type RedisClientType } from "@redis/client";

import { within } from "./deadline.ts";
import { freePort } from "./server.ts";

/**
 * The program. Debian's package redis-tools contains it as redis-check-rdb; the name by which it is called
 * decides which of the two it is. The package redis-server would add a service that starts by itself.
 */
const PROGRAMS = ["/usr/bin/redis-server", "/usr/bin/redis-check-rdb"];
const PROGRAM = PROGRAMS.find((path) => existsSync(path));
const READY_MS = 20_000;
const LOOPBACK = "127.0.0.1";

/** Why no Redis is available here, or false if it is. For `skip` of a test. */
export const noRedis: string | false =
  PROGRAM === undefined
    ? `${PROGRAMS.join(" and ")} are missing; on Debian, apt-get install redis-tools`
    : false;

/** A Redis server that can be ended and restarted on its port. */
export class TestRedis {
  readonly port: number;
  readonly #settings: readonly string[];
  #process: ChildProcess | undefined;
  #folder = "";
  #portFlags: readonly string[];
  readonly #host: string;

  private constructor(port: number, settings: readonly string[], host: string) {
    this.port = port;
    this.#host = host;
    this.#settings = settings;
    this.#portFlags = ["--port", String(port)];
  }

  /** @param settings - Redis options, such as `["--requirepass", "secret"]` */
  static async start(settings: readonly string[] = [], host = LOOPBACK): Promise<TestRedis> {
    const redis = await TestRedis.away(settings, host);
    await redis.start();
    return redis;
  }

  /** Returns the CPU that it has used since it started, in µs. */
  async cpuUs(): Promise<number> {
    const text = await this.withClient((client) => client.info("cpu"));
    const seconds = [...text.matchAll(/^used_cpu_(?:user|sys):([\d.]+)/gm)].map(
      ([, value]) => value,
    );
    return seconds.reduce((sum, value) => sum + Number(value), 0) * 1e6;
  }

  /** Starts one whose port accepts TLS only. */
  static async startTls(settings: readonly string[]): Promise<TestRedis> {
    const redis = await TestRedis.away(settings);
    redis.#portFlags = ["--port", "0", "--tls-port", String(redis.port)];
    await redis.start();
    return redis;
  }

  /** Makes one that is not started yet. */
  static async away(settings: readonly string[] = [], host = LOOPBACK): Promise<TestRedis> {
    return new TestRedis(await freePort(), settings, host);
  }

  get url(): string {
    const host = this.#host.includes(":") ? `[${this.#host}]` : this.#host;
    return `redis://${host}:${this.port}`;
  }

  async start(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), "simurgh-redis-"));
    const given = [...this.#portFlags, "--bind", this.#host, "--dir", this.#folder];
    const memoryOnly = ["--save", "", "--appendonly", "no"];
    const child = spawn(PROGRAM ?? "", [...given, ...memoryOnly, ...this.#settings], {
      argv0: "redis-server",
      stdio: ["ignore", "pipe", "ignore"],
    });
    this.#process = child;
    let output = "";
    const ready = new Promise<void>((resolve, reject) => {
      child.stdout.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes("Ready to accept connections")) resolve();
      });
      child.on("exit", () => reject(new Error(`Redis ended: ${output}`)));
      child.on("error", reject);
    });
    await within(ready, "Redis", READY_MS);
  }

  /** Kills it, like a crash. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child) return;
    const ended = once(child, "exit");
    // SIGKILL also ends a frozen process.
    child.kill("SIGKILL");
    await within(ended, "the end of Redis");
    await rm(this.#folder, { recursive: true });
  }

  /** Freezes it: connections stay open, but nothing is answered. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Runs a function with a new client. */
  async withClient<Result>(
    use: (client: RedisClientType) => Promise<Result>,
    url = this.url,
  ): Promise<Result> {
    const client: RedisClientType = createClient({ url });
    await client.connect();
    try {
      return await use(client);
    } finally {
      client.destroy();
    }
  }

  /** Cuts all connections except the one that requests it. */
  async cutAll(): Promise<void> {
    await this.withClient(async (client) => {
      await client.sendCommand(["CLIENT", "KILL", "SKIPME", "yes"]);
    });
  }
}
