/**
 * The little of the official client that is built on, of any release and any types of it.
 *
 * Runs on: nowhere; types only.
 */

/** A push of the official client. */
export interface PhoenixPush {
  receive(status: string, callback: (response: unknown) => void): unknown;
}

/** A channel of the official client. */
export interface PhoenixChannel {
  readonly state: string;
  join(timeout?: number): PhoenixPush;
  leave(timeout?: number): PhoenixPush;
  push(event: string, payload: object, timeout?: number): PhoenixPush;
  on(event: string, callback: (payload: unknown) => void): number;
  off(event: string, ref?: number): void;
  onClose(callback: () => void): unknown;
  onError(callback: () => void): unknown;
}

/** A socket of the official client. */
export interface PhoenixSocket {
  channel(topic: string, params?: object): PhoenixChannel;
}
