/**
 * A shard without a network or a log, for measuring the cost of a message.
 *
 * Runs on: node, after a build.
 */

import { Logger } from "../../src/log/logger.ts";
import { resolveOptions } from "../../src/options/resolution.ts";
import type { EndpointDefinition } from "../../src/endpoint/endpoint.ts";
import { SoloShard } from "../../src/solo/solo-shard.ts";

const silent = (): void => {};

/** Creates a shard that serves an endpoint. */
export function silentShard(endpoint: EndpointDefinition): SoloShard {
  return new SoloShard({
    endpoint,
    options: resolveOptions(
      { shards: 1, secretKeyBase: "measure".repeat(10), logLevel: "silent" },
      {},
      {
        parallelism: () => 1,
        descriptorLimit: () => 1_024,
        memoryLimit: () => 1_073_741_824,
        secretKeyBase: () => "",
        nodeName: () => "",
      },
    ),
    data: undefined,
    ticks: false,
    transports: false,
    logger: new Logger("silent", { debug: silent, info: silent, warn: silent, error: silent }),
  });
}
