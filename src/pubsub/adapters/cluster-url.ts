/**
 * Which adapter the option `clusterUrl` chooses, by the URL's scheme.
 *
 * Runs on: main, before anything starts. Loads no adapter: the link's thread does.
 */

import { makeError } from "../../errors.ts";
import type { ResolvedOptions } from "../../options.ts";
import type { AdapterSpec } from "../adapter.ts";
import type { RedisAdapterOptions } from "./redis.ts";

/** Module of the adapter for each scheme. */
const MODULES: Readonly<Record<string, string>> = { "redis:": "redis.js", "rediss:": "redis.js" };
const NONE = "none";
/** What Phoenix calls a node without a name: as the name of several, it is copied from there. */
const NO_NAMES = /^nonode(?:@nohost)?$/;

type ClusterOptions = Pick<
  ResolvedOptions,
  "clusterUrl" | "clusterName" | "clusterQueueBytes" | "nodeName"
>;

/**
 * Gives the adapter for these options; undefined where they say `none`.
 *
 * @throws SIM_ERR_OPTION_INVALID for a URL that no adapter takes. It is not shown: it may have a
 *   password
 */
export function clusterAdapter(options: ClusterOptions): AdapterSpec | undefined {
  const { clusterUrl, clusterName, clusterQueueBytes, nodeName } = options;
  if (clusterUrl === NONE) return undefined;
  const module = moduleOf(clusterUrl);
  if (NO_NAMES.test(nodeName)) {
    throw invalid("nodeName must be unique in its cluster, or auto", nodeName);
  }
  const adapterOptions: RedisAdapterOptions = {
    url: clusterUrl,
    clusterName,
    nodeName,
    queueBytes: clusterQueueBytes,
  };
  return { module: new URL(module, import.meta.url).href, options: { ...adapterOptions } };
}

function moduleOf(text: string): string {
  const must = "clusterUrl must be a URL as redis://user:password@host:6379, or rediss:";
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url) throw invalid(must, "what is no URL");
  const module = MODULES[url.protocol];
  if (module === undefined) throw invalid(must, `one of ${url.protocol}`);
  if (url.hostname === "") throw invalid(must, "one without a host");
  // The client library would say so later, without the option's name.
  if (!/^\/?\d*$/.test(url.pathname)) throw invalid(must, "a path that is no database's number");
  return module;
}

function invalid(must: string, got: string): Error {
  return makeError("SIM_ERR_OPTION_INVALID", `${must}, got ${got}`);
}
