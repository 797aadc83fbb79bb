/**
 * The URLs that `clusterUrl` may have, and the adapter that each chooses: one row for each scheme.
 *
 * Runs on: the main thread, before anything starts. Pure.
 */

/** One scheme of URLs. */
interface ClusterScheme {
  /** Module in `pubsub/adapters`, without its extension. It exports `makeAdapter`. */
  readonly adapter: string;
  /** What such a URL looks like, in messages and in the reference. */
  readonly form: string;
  /** What the URL's path may be. */
  readonly path: RegExp;
  /** What another path is not. */
  readonly pathIs: string;
}

/** By the scheme. */
export const CLUSTER_SCHEMES: Readonly<Record<string, ClusterScheme>> = {
  "redis:": {
    adapter: "redis",
    form: "redis://user:password@host:6379",
    path: /^\/?\d*$/,
    pathIs: "database's number",
  },
  "rediss:": {
    adapter: "redis",
    form: "rediss:",
    path: /^\/?\d*$/,
    pathIs: "database's number",
  },
};

/** All forms that a URL may have, in words. */
export const CLUSTER_FORMS = Object.values(CLUSTER_SCHEMES)
  .map(({ form }) => form)
  .join(", or ");

/** Value of `clusterUrl` that chooses no adapter. */
export const NO_CLUSTER = "none";

/** The rule of `clusterUrl`. Messages never contain the text itself: it may have a password. */
export function clusterUrlRule(text: string): string | undefined {
  if (text === NO_CLUSTER) return undefined;
  const must = `must be ${NO_CLUSTER}, or a URL as ${CLUSTER_FORMS}, got`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url) return `${must} what is no URL`;
  const scheme = CLUSTER_SCHEMES[url.protocol];
  if (!scheme) return `${must} one of ${url.protocol}`;
  if (url.hostname === "") return `${must} one without a host`;
  // The client library would say so later, without the option's name.
  return scheme.path.test(url.pathname) ? undefined : `${must} a path that is no ${scheme.pathIs}`;
}
