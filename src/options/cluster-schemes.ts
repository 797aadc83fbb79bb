/**
 * The URL schemes of `clusterUrl` and the adapter for each, in one table.
 *
 * Runs on: main, before anything starts. Pure.
 */

/** A URL scheme. */
interface ClusterScheme {
  /** Module in `pubsub/adapters`, without its extension. The module exports `makeAdapter`. */
  readonly adapter: string;
  /** Example URL for error messages and the reference. */
  readonly form: string;
  /** Pattern of valid paths. */
  readonly path: RegExp;
  /** Description of a valid path, for error messages. */
  readonly pathIs: string;
}

/** The supported schemes. */
export const CLUSTER_SCHEMES: Readonly<Record<string, ClusterScheme>> = {
  "redis:": {
    adapter: "redis",
    form: "redis://user:password@host:6379",
    path: /^\/?\d*$/,
    pathIs: "a database number",
  },
  "rediss:": {
    adapter: "redis",
    form: "rediss://… (TLS)",
    path: /^\/?\d*$/,
    pathIs: "a database number",
  },
};

/** Examples of all schemes, as text. */
export const CLUSTER_FORMS = Object.values(CLUSTER_SCHEMES)
  .map(({ form }) => form)
  .join(" or ");

/** Value of `clusterUrl` for a node without an adapter. */
export const NO_CLUSTER = "none";

/** Checks `clusterUrl`. Messages do not contain the URL, because it may include a password. */
export function clusterUrlRule(text: string): string | undefined {
  if (text === NO_CLUSTER) return undefined;
  const must = `must be ${NO_CLUSTER} or a URL such as ${CLUSTER_FORMS}, got`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url) return `${must} an invalid URL`;
  const scheme = CLUSTER_SCHEMES[url.protocol];
  if (!scheme) return `${must} the scheme ${url.protocol}`;
  if (url.hostname === "") return `${must} a URL without a host`;
  // The client library would fail later, without naming the option.
  return scheme.path.test(url.pathname) ? undefined : `${must} a path that is not ${scheme.pathIs}`;
}
