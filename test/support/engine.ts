/**
 * Engines for tests that use one without a server.
 *
 * Runs on: the test's thread.
 */

import {
  chooseEngine,
  nativeModule,
  type EngineChoice,
} from "../../src/transport/engine/engine.ts";
import type { ListenerParts, ListeningThread } from "../../src/transport/engine/listener-port.ts";
import { NativeEngine } from "../../src/transport/engine/native/native-engine.ts";
import type { AppDescriptor, EngineBehavior } from "../../src/transport/engine/app-port.ts";
import type { Engine } from "../../src/transport/engine/engine-port.ts";
import { Counters, makeCountersMemory } from "../../src/memory/counters.ts";

/** Options of an app that needs no others. */
export const APP_OPTIONS = { maxHeaderBytes: 16_384 };

/**
 * The engine of tests: `SIMURGH_ENGINE=portable npm test` runs them with the portable one, which servers that tests
 * start use as well.
 */
const ENGINE = process.env["SIMURGH_ENGINE"] ?? "auto";

/** Returns the engine that tests use. */
export async function testEngine(): Promise<{
  readonly engine: Engine;
  readonly choice: EngineChoice;
}> {
  return chooseEngine({ engine: ENGINE, from: [], ...APP_OPTIONS });
}

/** Returns why the native engine cannot be tested here; false if it can. */
export async function noNative(): Promise<string | false> {
  try {
    await chooseEngine({ engine: "native", from: [], ...APP_OPTIONS });
    return false;
  } catch {
    return "the native engine cannot be loaded here";
  }
}

/** Returns the native engine. */
export function nativeEngine(): NativeEngine {
  return new NativeEngine(nativeModule(), "uWebSockets.js", "");
}

/** Returns the dependencies of a listener that counts nothing, unless told otherwise. */
export function listenerParts(parts: Partial<ListenerParts> = {}): ListenerParts {
  return {
    app: APP_OPTIONS,
    tcp: { watch() {}, requested() {}, answered() {} },
    counters: new Counters(makeCountersMemory(1), 0),
    onReadiness() {},
    ...parts,
  };
}

/** Returns a thread that main deals connections to. */
export function dealtThread(descriptor: AppDescriptor): ListeningThread {
  return { descriptor, listen: async () => false, stopListening() {} };
}

/** Returns a WebSocket path that accepts all and does nothing, unless told otherwise. */
export function webSocketPath(
  { uncompressed }: Pick<Engine, "uncompressed">,
  given: Partial<EngineBehavior> = {},
): EngineBehavior {
  return {
    compression: uncompressed,
    maxPayloadLength: 1_000,
    maxBackpressure: 1_000_000,
    closeOnBackpressureLimit: false,
    idleTimeout: 0,
    sendPingsAutomatically: false,
    upgrade: (response, request, context) =>
      response.upgrade({}, request.getHeader("sec-websocket-key"), "", "", context),
    open() {},
    message() {},
    ping() {},
    pong() {},
    dropped() {},
    drain() {},
    close() {},
    ...given,
  };
}
