/**
 * Starts a server: chooses the engine, makes the parts, and puts them together.
 *
 * Runs on: main.
 */

import { randomBytes, randomUUID } from "node:crypto";
import { pathToFileURL } from "node:url";
import { checkNodeVersion } from "../node-version.ts";
import { invalidOption } from "../definition-checks.ts";
import { kindOf } from "../errors.ts";
import { LOG_LINES, type Logger } from "../log/logger.ts";
import { Counters } from "../memory/counters.ts";
import { Life } from "../memory/life.ts";
import { memberCount, resolveOptions, type AutomaticValues } from "../options/resolution.ts";
import { schemeOf, type Options, type ResolvedOptions } from "../options/options.ts";
import { OutputQueue } from "../output/output-queue.ts";
import { OutputThread } from "../output/output-thread.ts";
import type { WriterTexts } from "../output/output-writer.ts";
import { makeOutputMemory } from "../output/queue-layout.ts";
import { makeQueueLogger } from "../output/queue-logger.ts";
import type { AdapterSpec } from "../pubsub/adapter.ts";
import { clusterAdapter } from "../pubsub/adapters/cluster-url.ts";
import { TcpConnections } from "../transport/tcp-connections.ts";
import { Admission } from "./admission.ts";
import { Attachment } from "./attachment/attachment.ts";
import { checkOuterServer } from "./attachment/outer-server.ts";
import { Certificate } from "./certificate.ts";
import { availableCpus } from "./cpu-quota.ts";
import { descriptorLimit } from "./descriptors.ts";
import { Host } from "./host.ts";
import { availableMemory } from "./memory-limit.ts";
import { MAIN_MEMBER, makeNodeMemory } from "./memory-plan.ts";
import type { ServeOptions } from "./serve-options.ts";
import { engineOfServer, engineStats, logEngine, type ServerEngine } from "./server-engine.ts";
import { Supervisor } from "./supervisor.ts";
import { TaskPool } from "../tasks/task-pool.ts";
import { Server } from "./server.ts";

/**
 * Starts a server. Resolves when every shard is ready and the server listens.
 *
 * ```ts
 * import type app from "./app.js";
 *
 * const server = await serve<typeof app>({ app: new URL("./app.js", import.meta.url) });
 * ```
 *
 * @throws SIM_ERR_OPTION_INVALID, SIM_ERR_ENGINE_UNAVAILABLE, SIM_ERR_TLS, SIM_ERR_LISTEN,
 *   SIM_ERR_APP_MODULE, and any error of the app module or its `start`
 */
export async function serve<App = unknown>(given: ServeOptions): Promise<Server<App>> {
  checkNodeVersion();
  const { app: _app, data, adapter: _adapter, logger: sink, attachTo: _attachTo, ...own } = given;
  const app = appUrl(given.app);
  const { serverEngine, isSecretRandom } = await engineAndOptions(app, own);
  const { engine, choice, options } = serverEngine;
  const adapter = adapterOf(given, options);
  const certificate = Certificate.load(engine, options);
  const attachment = attachmentOf(given, options);
  const memory = makeNodeMemory(options, adapter);
  const counters = new Counters(memory.counters, MAIN_MEMBER);
  const outputMemory = makeOutputMemory(memberCount(options), options.logQueueBytes);
  const queue = new OutputQueue(outputMemory, MAIN_MEMBER, counters);
  const logger = makeQueueLogger(queue, options, { sink });
  if (isSecretRandom) logger.log("secretIsRandom");
  logEngine(serverEngine, logger);
  certificate?.logTo(logger);
  const output = new OutputThread(outputMemory, writerTexts(logger));
  const host = new Host(memory, options, logger);
  const life = new Life(memory.life);
  const tcp = new TcpConnections({ memory: memory.counters, counters, options, logger });
  const onReadiness = (isReady: boolean): void => life.setReady(isReady);
  const listener = engine.createListener({
    app: { ...options, tls: certificate?.files },
    tcp,
    counters,
    onReadiness,
  });
  const tasks = new TaskPool(options, counters, logger, queue);
  const supervisor = new Supervisor({
    memory,
    output,
    options,
    host,
    engine,
    choice,
    listener,
    certificate,
    attachment,
    tasks,
    logger,
    app,
    data,
    adapter,
  });
  const onExit = (code: number): void => {
    supervisor.closeOnExit(code);
    logger.reportSuppressed();
    output.flushNow(EXIT_FLUSH_MS);
  };
  process.on("exit", onExit);
  try {
    await supervisor.start();
    const port = attachment
      ? await listener.listen(LOOPBACK, 0)
      : await listener.listen(options.host, options.port);
    const shared = { memory: memory.counters, counters, options, logger };
    const admission = new Admission({ listener, ...shared });
    attachment?.begin(port, listener);
    logServing(serverEngine, attachment, port, logger);
    const stats = engineStats(serverEngine);
    const node = { options, memory, host, life, listener, admission, supervisor, tasks };
    const parts = { ...node, attachment, certificate, engine: stats };
    return new Server<App>({ ...parts, logger, output, onExit }, port);
  } catch (error) {
    await supervisor.stop();
    await tasks.close();
    host.stop();
    await listener.close();
    certificate?.close();
    if (supervisor.hasEnded) {
      await output.stop();
      process.off("exit", onExit);
    }
    throw error;
  }
}

/** Chooses the engine, and resolves the options, some of which depend on it. */
async function engineAndOptions(
  app: string,
  own: Options,
): Promise<{ readonly serverEngine: ServerEngine; readonly isSecretRandom: boolean }> {
  let isSecretRandom = false;
  const automatic: AutomaticValues = {
    parallelism: availableCpus,
    descriptorLimit,
    memoryLimit: availableMemory,
    secretKeyBase: () => {
      isSecretRandom = true;
      return randomBytes(48).toString("base64");
    },
    nodeName: () => `node-${randomUUID()}`,
  };
  const serverEngine = await engineOfServer(app, (shards) =>
    resolveOptions(shards === undefined ? own : { ...own, shards }, process.env, automatic),
  );
  return { serverEngine, isSecretRandom };
}

/** Where a server listens that is attached to another one. */
const LOOPBACK = "127.0.0.1";

/** Time for the last lines to be written when the process exits (ms). */
const EXIT_FLUSH_MS = 1_000;

/** Returns the texts of the lines that the writer writes itself. */
function writerTexts(logger: Logger): WriterTexts {
  const textOf = (line: "linesDropped" | "outputFailed"): string | undefined =>
    logger.isOn(line) ? LOG_LINES[line].text : undefined;
  return { dropped: textOf("linesDropped"), failed: textOf("outputFailed") };
}

function attachmentOf(
  { attachTo, host, port }: ServeOptions,
  options: ResolvedOptions,
): Attachment | undefined {
  if (attachTo === undefined) return undefined;
  const outer: unknown = attachTo;
  checkOuterServer(outer);
  if (host !== undefined || port !== undefined) {
    throw invalidOption(
      "attachTo must not be combined with host or port, which the other server has",
    );
  }
  if (schemeOf(options) === "https") {
    throw invalidOption("attachTo must not be combined with tlsCert: the other server speaks TLS");
  }
  return new Attachment(outer);
}

/** Logs where the server serves. */
function logServing(
  { engine, options }: ServerEngine,
  attachment: Attachment | undefined,
  port: number,
  logger: Logger,
): void {
  const { host, shards } = options;
  const shown = { shards, engine: `${engine.name} ${engine.version}` };
  if (attachment) logger.log("serverAttached", shown);
  else logger.log("serverListening", { scheme: schemeOf(options), host, port, ...shown });
}

function appUrl(app: unknown): string {
  if (app instanceof URL) return app.href;
  if (typeof app !== "string" || app === "") {
    throw invalidOption(
      `app must be the URL or path of a module, got ${app === "" ? "an empty string" : kindOf(app)}`,
    );
  }
  return app.startsWith("file:") ? app : pathToFileURL(app).href;
}

/**
 * Returns the adapter. An adapter given in code overrides a `clusterUrl` from the environment;
 * giving both in code is an error.
 */
function adapterOf(given: ServeOptions, resolved: ResolvedOptions): AdapterSpec | undefined {
  const { adapter, clusterUrl } = given;
  if (adapter === undefined) return clusterAdapter(resolved);
  if (clusterUrl !== undefined) throw invalidOption("adapter must not be combined with clusterUrl");
  const { module, options } = Object(adapter) as Partial<AdapterSpec>;
  if (typeof module === "string" && typeof options === "object" && options !== null) return adapter;
  throw invalidOption("adapter must be { module, options }, as returned by `memoryAdapter`");
}
