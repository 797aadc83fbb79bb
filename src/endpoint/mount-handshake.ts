/**
 * The handshake options of a mount, put together: of the endpoint, of the mount, of its transport.
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

/** What an endpoint says for all its mounts. */
export interface EndpointHandshake {
  readonly checkOrigin?: CheckOrigin;
  readonly urlHost?: string | null;
}

/** What a mount says for all its transports. */
export interface MountHandshake extends HandshakeOptions {
  readonly authToken?: boolean;
}

/** Host of pages that are served from where they are written. */
const DEFAULT_URL_HOST = "localhost";

/**
 * Makes the policy of one transport of a mount. What the transport says wins over the mount, that
 * over the endpoint.
 *
 * @throws as `makeHandshakePolicy` does
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
