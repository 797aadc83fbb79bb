/**
 * Which adapter the option `clusterUrl` chooses, by the URL's scheme.
 *
 * Runs on: main, before anything starts. Loads no adapter: the link's thread does.
 */

import type { ResolvedOptions } from "../../options/options.ts";
import type { AdapterSpec } from "../adapter.ts";
import type { RedisAdapterOptions } from "./redis.ts";

type ClusterOptions = Pick<
  ResolvedOptions,
  "clusterUrl" | "clusterName" | "clusterQueueBytes" | "nodeName"
>;

const NONE = "none";
// There are no other schemes: the option is checked.
const REDIS = new URL("redis.js", import.meta.url).href;

/** Gives the adapter for these options; undefined where they say `none`. */
export function clusterAdapter(options: ClusterOptions): AdapterSpec | undefined {
  const { clusterUrl, clusterName, clusterQueueBytes, nodeName } = options;
  if (clusterUrl === NONE) return undefined;
  const given: RedisAdapterOptions = {
    url: clusterUrl,
    clusterName,
    nodeName,
    queueBytes: clusterQueueBytes,
  };
  return { module: REDIS, options: { ...given } };
}
