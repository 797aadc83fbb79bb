/**
 * A PostgreSQL server for a test: on its own port, with its data in a temporary folder, ended with the test.
 *
 * Runs on: the test's thread; the server is a process of its own. It refuses to run as root, so root starts it as
 *       the user that Debian's package creates.
 */

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Client } from "pg";

import { addressOf } from "../../src/postgres/address.ts";
import { Database } from "../../src/postgres/database.ts";
import { install } from "../../src/postgres/migrations.ts";
import { within } from "./deadline.ts";
import { freePort } from "./server.ts";

/** Debian has a folder for each version, outside of PATH. */
const FOLDERS = "/usr/lib/postgresql";
const FOLDER = folderOfNewest();
const USER = "postgres";
const READY_MS = 30_000;
const LOOPBACK = "127.0.0.1";

/** Why no PostgreSQL is available here, or false if it is. For `skip` of a test. */
export const noPostgres: string | false = whyNone();

function folderOfNewest(): string | undefined {
  const versions = existsSync(FOLDERS) ? readdirSync(FOLDERS) : [];
  const folders = versions
    .toSorted((one, other) => Number(other) - Number(one))
    .map((version) => join(FOLDERS, version, "bin"));
  return folders.find((folder) => existsSync(join(folder, "postgres")));
}

function whyNone(): string | false {
  if (FOLDER === undefined) {
    return `${FOLDERS}/*/bin/postgres is missing; on Debian, apt-get install postgresql`;
  }
  const isRoot = process.getuid?.() === 0;
  return isRoot && userId("-u") === undefined
    ? `root cannot run PostgreSQL, and there is no user ${USER}`
    : false;
}

function userId(flag: "-u" | "-g"): number | undefined {
  const { status, stdout } = spawnSync("id", [flag, USER], { encoding: "utf8" });
  return status === 0 ? Number(stdout) : undefined;
}

/** The user as whom the server runs: this one, unless that is root. */
function serverUser(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  return { uid: userId("-u") ?? 0, gid: userId("-g") ?? 0 };
}

/** A PostgreSQL server that can be ended and restarted on its port. */
export class TestPostgres {
  readonly port: number;
  readonly #folder: string;
  readonly #settings: readonly string[];
  #process: ChildProcess | undefined;
  readonly #killNow = (): void => void this.#process?.kill("SIGQUIT");

  private constructor(port: number, folder: string, settings: readonly string[]) {
    this.port = port;
    this.#folder = folder;
    this.#settings = settings;
  }

  /** @param settings - of the server, such as `["wal_level=logical"]` */
  static async start(settings: readonly string[] = []): Promise<TestPostgres> {
    const folder = mkdtempSync(join(tmpdir(), "simurgh-postgres-"));
    const user = serverUser();
    if (user.uid !== undefined) chownSync(folder, user.uid, user.gid ?? 0);
    const flags = ["--auth", "trust", "--username", USER, "--encoding", "UTF8", "--no-sync"];
    const initdb = join(FOLDER ?? "", "initdb");
    const made = spawnSync(initdb, [...flags, "--locale", "C", "-D", join(folder, "data")], {
      ...user,
      cwd: folder,
      encoding: "utf8",
    });
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
    const postgres = new TestPostgres(await freePort(), folder, settings);
    return postgres.#orRemoved(async () => postgres.start());
  }

  /** Returns this server when it is prepared, and removes it if that fails: nobody else could. */
  async #orRemoved(prepare: () => Promise<unknown>): Promise<this> {
    try {
      await prepare();
      return this;
    } catch (error) {
      await this.remove();
      throw error;
    }
  }

  /** Starts one with the schema, and roles that may open sessions. */
  static async installed(
    roles: readonly string[] = [],
    settings: readonly string[] = [],
  ): Promise<TestPostgres> {
    const postgres = await TestPostgres.start(settings);
    return postgres.#orRemoved(async () => {
      for (const role of roles) await postgres.query(`CREATE ROLE ${role} LOGIN`);
      await postgres.withDatabase((database) => install(database, "simurgh", roles));
    });
  }

  /** Runs a function with a database of the package, of the role that owns the schema. */
  async withDatabase<Result>(use: (database: Database) => Promise<Result>): Promise<Result> {
    const database = new Database(addressOf({ url: this.url() }, {}), "test");
    await database.connectOnce();
    try {
      return await use(database);
    } finally {
      await database.stop();
    }
  }

  /** URL for a role, which needs no password. */
  url(role = USER): string {
    return `postgres://${role}@${LOOPBACK}:${this.port}/postgres`;
  }

  /** Starts it, again on its port. Resolves when it takes connections. */
  async start(): Promise<void> {
    const settings = [
      `listen_addresses=${LOOPBACK}`,
      `unix_socket_directories=${this.#folder}`,
      // Nothing has to survive a crash of the machine.
      "fsync=off",
      "max_connections=60",
      ...this.#settings,
    ].flatMap((setting) => ["-c", setting]);
    const flags = ["-D", join(this.#folder, "data"), "-p", String(this.port)];
    const child = spawn(join(FOLDER ?? "", "postgres"), [...flags, ...settings], {
      ...serverUser(),
      cwd: this.#folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#process = child;
    process.once("exit", this.#killNow);
    let output = "";
    const ready = new Promise<void>((resolve, reject) => {
      child.stderr.on("data", (chunk: Buffer) => {
        output += chunk.toString();
        if (/ready to accept (?:read-only )?connections/.test(output)) resolve();
      });
      child.on("exit", () => reject(new Error(`PostgreSQL ended: ${output}`)));
      child.on("error", reject);
    });
    await within(ready, "PostgreSQL", READY_MS);
    child.stderr.removeAllListeners("data").resume();
  }

  /** Stops it, as `systemctl restart` does first: connections are ended. */
  async stop(): Promise<void> {
    await this.#end("SIGINT");
  }

  /** Ends it without a checkpoint, like a crash. */
  async crash(): Promise<void> {
    await this.#end("SIGQUIT");
  }

  /** Keeps a copy of its data. It is stopped meanwhile. */
  async keepCopy(): Promise<void> {
    await this.stop();
    this.#copy("data", "copy");
    await this.start();
  }

  /** Promotes the copy, as a failover does with a replica that lags: it has another timeline. */
  async failOver(): Promise<void> {
    await this.crash();
    rmSync(join(this.#folder, "data"), { recursive: true });
    this.#copy("copy", "data");
    writeFileSync(join(this.#folder, "data", "standby.signal"), "");
    await this.start();
    await this.query("select pg_promote()");
  }

  #copy(from: string, to: string): void {
    const { status } = spawnSync("cp", ["-a", join(this.#folder, from), join(this.#folder, to)]);
    if (status !== 0) throw new Error(`cp: ${status}`);
  }

  /** Ends it, and removes its data. */
  async remove(): Promise<void> {
    await this.crash();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    process.off("exit", this.#killNow);
    if (!child || child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await within(ended, "the end of PostgreSQL");
  }

  /** Runs statements as a role, each as `query` of `pg` does, and returns the rows of the last one. */
  async query<Row extends object = Record<string, unknown>>(
    sql: string,
    values: readonly unknown[] = [],
    role = USER,
  ): Promise<Row[]> {
    return this.withClient(async (client) => {
      const result = await client.query<Row>(sql, [...values]);
      // A text with several statements has several results.
      return (Array.isArray(result) ? result.at(-1) : result).rows as Row[];
    }, role);
  }

  /** Runs a function with a new connection. */
  async withClient<Result>(use: (client: Client) => Promise<Result>, role = USER): Promise<Result> {
    const client = await this.connect(role);
    try {
      return await use(client);
    } finally {
      await client.end();
    }
  }

  /** Opens a connection, which the caller must end. */
  async connect(role = USER): Promise<Client> {
    const client = new Client({ connectionString: this.url(role) });
    await client.connect();
    return client;
  }

  /** Ends all other connections, as a failover does. */
  async cutAll(): Promise<void> {
    await this.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
    );
  }
}
