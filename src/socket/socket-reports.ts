/**
 * Log lines and telemetry events about connections.
 *
 * Runs on: shard.
 */

import type { LineLevel, Logger } from "../log/logger.ts";
import { telemetry } from "../telemetry.ts";
import type { ServedSocket } from "./served-socket.ts";

/** Reports that a connection is closed because it has expired. */
export function reportExpired(
  socket: ServedSocket,
  lateMs: number,
  log: LineLevel | false,
  logger: Logger,
): void {
  const { id, path, connection } = socket;
  const { transport } = connection;
  const fields = { connection: connection.id, id, transport, lateMs };
  logger.log("expired", { path, ...fields }, log);
  if (!telemetry.socket_expired.hasSubscribers) return;
  telemetry.socket_expired.publish({ ...fields, channels: socket.allChannels().length });
}

/** Reports that a connection ended. */
export function reportDisconnected(socket: ServedSocket, code: number): void {
  if (!telemetry.socket_disconnected.hasSubscribers) return;
  const { id, connection } = socket;
  const channels = socket.allChannels().length;
  telemetry.socket_disconnected.publish({ connection: connection.id, id, code, channels });
}
