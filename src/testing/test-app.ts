/**
 * The app that a test connects to: one shard for each definition, started by the first connection.
 *
 * Runs on: the thread of a test.
 */

import { invalid, invalidOption } from "../definition-checks.ts";
import { Logger } from "../log/logger.ts";
import type { LogSink } from "../log/sink.ts";
import { checkCopies } from "../package-copy.ts";
import { resolveOptions } from "../options/resolution.ts";
import { defineEndpoint, isEndpoint, type EndpointDefinition } from "../endpoint/endpoint.ts";
import type { MountDefinition } from "../endpoint/endpoint.ts";
import { SoloShard } from "../solo/solo-shard.ts";
import { REAL_TIME, type TestTime } from "./real-time.ts";
import { VirtualTime } from "./virtual-time.ts";

/**
 * The target of a test: an endpoint, a mount (`{ socket, channels }`), or a socket alone, to test
 * its `connect` and `id`.
 */
export type TestTarget = EndpointDefinition | MountDefinition | MountDefinition["socket"];

/** A warning or an error from the log. */
export interface LogLine {
  readonly text: string;
  readonly error: unknown;
}

/** Options of `testApp`. */
export interface StartOptions {
  /** The app's `context.data`. */
  readonly data?: unknown;
  /** `virtual`: all clocks and timers of the process stand still until the test advances them. */
  readonly time?: "real" | "virtual";
  /** Start of virtual time (ms since 1970). Default: now. */
  readonly nowMs?: number;
  /**
   * Whether the endpoint's `transports` run, as in a server. Default: true. False for tests of channels that must not
   * listen on a port, or connect to a database.
   */
  readonly transports?: boolean;
}

const apps = new WeakMap<TestTarget, Promise<TestApp>>();

/** An app in a test. */
export class TestApp {
  readonly shard: SoloShard;
  /** Warnings and errors from the log. */
  readonly log: LogLine[] = [];
  readonly time: TestTime;

  constructor(
    endpoint: EndpointDefinition,
    { data, transports = true }: Pick<StartOptions, "data" | "transports">,
    time: TestTime,
  ) {
    this.time = time;
    this.shard = new SoloShard({
      endpoint,
      data,
      options: resolveOptions(
        { shards: 1, indexBits: 8, ringBytes: 4_096, secretKeyBase: "test".repeat(16) },
        {},
        {
          parallelism: () => 1,
          descriptorLimit: () => 1_024,
          memoryLimit: () => 1_073_741_824,
          secretKeyBase: () => "",
          nodeName: () => "node",
        },
      ),
      logger: new Logger("debug", this.#makeSink(endpoint.logger)),
      ticks: time instanceof VirtualTime,
      transports,
    });
  }

  // Keeps warnings and errors for failure messages. The endpoint's own logger receives all lines.
  #makeSink(own: LogSink | undefined): LogSink {
    const keep = (fields: object, text: string): void => {
      this.log.push({ text, error: "err" in fields ? fields.err : undefined });
    };
    return {
      debug: (fields, text) => own?.debug(fields, text),
      info: (fields, text) => own?.info(fields, text),
      warn: (fields, text) => {
        keep(fields, text);
        own?.warn(fields, text);
      },
      error: (fields, text) => {
        keep(fields, text);
        own?.error(fields, text);
      },
    };
  }
}

/** Returns the app for a definition. Starts it with `data` if it is not running. */
export async function appOf(target: TestTarget, data: unknown): Promise<TestApp> {
  return apps.get(target) ?? startApp(target, { data });
}

/**
 * Starts the app for a definition.
 *
 * @throws SIM_ERR_OPTION_INVALID if the app is already running; whatever its `start` throws
 */
export async function startApp(target: TestTarget, options: StartOptions): Promise<TestApp> {
  if (apps.has(target)) {
    throw invalidOption("app must not run yet, got one that runs: call closeApp first");
  }
  const made = makeApp(target, options);
  apps.set(target, made);
  try {
    return await made;
  } catch (error) {
    apps.delete(target);
    throw error;
  }
}

/** Returns the app for a definition and forgets it; undefined if it is not running. */
export async function takeApp(target: TestTarget): Promise<TestApp | undefined> {
  const app = await apps.get(target);
  apps.delete(target);
  return app;
}

async function makeApp(
  target: TestTarget,
  { time = "real", nowMs = Date.now(), ...options }: StartOptions,
): Promise<TestApp> {
  const endpoint = endpointOf(target);
  if (time === "real") return started(new TestApp(endpoint, options, REAL_TIME));
  const virtual = new VirtualTime(nowMs);
  virtual.begin();
  try {
    return await started(new TestApp(endpoint, options, virtual));
  } catch (error) {
    virtual.end();
    throw error;
  }
}

async function started(app: TestApp): Promise<TestApp> {
  await app.shard.start();
  return app;
}

function endpointOf(target: TestTarget): EndpointDefinition {
  checkCopies();
  if (isEndpoint(target)) return target;
  if ("socket" in target) return defineEndpoint({ sockets: { "/socket": target } });
  if ("connect" in target) {
    return defineEndpoint({ sockets: { "/socket": { socket: target, channels: {} } } });
  }
  throw invalid("target of a test must be an endpoint, { socket, channels } or a socket");
}
