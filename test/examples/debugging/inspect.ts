import type { Server } from "simurgh";

/** Describes the connections of a node, and the channels of each. */
export async function describeConnections(server: Server): Promise<string[]> {
  const lines = [];
  for (const { connection, id, shard } of await server.sockets({ limit: 100 })) {
    const channels = (await server.channels(connection)) ?? [];
    const topics = channels.map(({ topic, status }) => `${topic} (${status})`);
    lines.push(`${connection} of ${id}, shard ${shard}: ${topics.join(", ")}`);
  }
  return lines;
}
