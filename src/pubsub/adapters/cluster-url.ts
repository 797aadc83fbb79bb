/**
 * Chooses the adapter for the option `clusterUrl`, by the URL's scheme.
 *
 * Runs on: main, before anything starts. The adapter is loaded by the link's thread.
 */

import { CLUSTER_SCHEMES, NO_CLUSTER } from "../../options/cluster-schemes.ts";
import type { AdapterSpec } from "../adapter.ts";
import type { ClusterOptions } from "./broker-adapter.ts";

/** Returns the adapter for these options, or undefined if `clusterUrl` is `none`. */
export function clusterAdapter(options: ClusterOptions): AdapterSpec | undefined {
  const { clusterUrl, clusterName, clusterQueueBytes, nodeName } = options;
  if (clusterUrl === NO_CLUSTER) return undefined;
  // The option has already been validated, so its scheme has an entry.
  const scheme = CLUSTER_SCHEMES[new URL(clusterUrl).protocol];
  if (!scheme) return undefined;
  return {
    module: new URL(`${scheme.adapter}.js`, import.meta.url).href,
    options: { clusterUrl, clusterName, clusterQueueBytes, nodeName },
  };
}
