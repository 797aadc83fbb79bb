/**
 * Combines the handshake options of an endpoint, a mount and its transport.
 *
 * Runs on: shard.
 */

import {
  HANDSHAKE_KEYS,
  makeHandshakePolicy,
  type HandshakeOptions,
  type HandshakePolicy,
} from "../transport/handshake/handshake-options.ts";
import type { CheckOrigin } from "../transport/handshake/origin.ts";

/** Handshake options of an endpoint, for all its mounts. */
export interface EndpointHandshake {
  readonly checkOrigin?: CheckOrigin;
  readonly urlHost?: string | null;
}

/** Handshake options of a mount, for all its transports. */
export interface MountHandshake extends HandshakeOptions {
  readonly authToken?: boolean;
}

/** Host of pages in development. */
const DEFAULT_URL_HOST = "localhost";

/**
 * Creates the handshake policy of a mount's transport. Options of the transport override those of
 * the mount, which override those of the endpoint.
 *
 * @throws like `makeHandshakePolicy`
 */
export function handshakePolicyOf(
  path: string,
  endpoint: EndpointHandshake,
  mount: MountHandshake,
  transport: HandshakeOptions,
): HandshakePolicy {
  const { checkOrigin = true, urlHost = DEFAULT_URL_HOST } = endpoint;
  const options = { ...givenOf(mount), ...givenOf(transport) };
  return makeHandshakePolicy(path, options, {
    checkOrigin,
    urlHost,
    authToken: mount.authToken ?? false,
  });
}

function givenOf(options: HandshakeOptions): HandshakeOptions {
  const given = HANDSHAKE_KEYS.filter((key) => options[key] !== undefined);
  return Object.fromEntries(given.map((key) => [key, options[key]]));
}
