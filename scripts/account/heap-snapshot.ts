/**
 * Attributes each byte of a V8 heap snapshot to an owner. Pure functions.
 *
 * Owners are objects with a known constructor name. Arrays, strings and hidden parts belong to the
 * nearest owner on their shortest path from a root.
 *
 * Runs on: the process of `npm run account`.
 */

/** The parts of V8's file that are read; `snapshot.meta` names the fields of nodes and edges. */
export interface HeapSnapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[], ...unknown[]];
      readonly edge_fields: readonly string[];
      readonly edge_types: readonly [readonly string[], ...unknown[]];
    };
  };
  readonly nodes: readonly number[];
  readonly edges: readonly number[];
  readonly strings: readonly string[];
}

/** Bytes by owner; bytes without a known owner are under `""`. */
export type OwnedBytes = ReadonlyMap<string, number>;

/** Edges that keep nothing alive. */
const WEAK = new Set(["weak", "shortcut"]);

interface Fields {
  readonly nodeSize: number;
  readonly edgeSize: number;
  readonly type: number;
  readonly name: number;
  readonly selfSize: number;
  readonly edgeCount: number;
  readonly edgeType: number;
  readonly toNode: number;
}

/**
 * Sums the bytes of each owner.
 *
 * @param isOwner reports whether bytes are counted for this constructor name
 * @throws Error if the snapshot lacks a field
 */
export function bytesByOwner(
  snapshot: HeapSnapshot,
  isOwner: (name: string) => boolean,
): OwnedBytes {
  const fields = readFields(snapshot);
  const { nodes, strings } = snapshot;
  const count = nodes.length / fields.nodeSize;
  const owners = findOwners(snapshot, fields, isOwner);
  const sums = new Map<string, number>();
  for (let node = 0; node < count; node++) {
    const at = node * fields.nodeSize;
    const owner = owners[node] as number;
    const name =
      owner < 0 ? "" : (strings[nodes[owner * fields.nodeSize + fields.name] as number] ?? "");
    sums.set(name, (sums.get(name) ?? 0) + (nodes[at + fields.selfSize] as number));
  }
  return sums;
}

function readFields({ snapshot: { meta } }: HeapSnapshot): Fields {
  const { node_fields: ofNode, edge_fields: ofEdge } = meta;
  return {
    nodeSize: ofNode.length,
    edgeSize: ofEdge.length,
    type: placeOf("type", ofNode),
    name: placeOf("name", ofNode),
    selfSize: placeOf("self_size", ofNode),
    edgeCount: placeOf("edge_count", ofNode),
    edgeType: placeOf("type", ofEdge),
    toNode: placeOf("to_node", ofEdge),
  };
}

function placeOf(name: string, fields: readonly string[]): number {
  const at = fields.indexOf(name);
  if (at >= 0) return at;
  throw new Error(`a heap snapshot must have the field ${name}, got ${fields.join(", ")}`);
}

/** Walks the graph breadth-first. @returns the index of the owner of each node, or -1 */
function findOwners(
  { snapshot: { meta }, nodes, edges, strings }: HeapSnapshot,
  fields: Fields,
  isOwner: (name: string) => boolean,
): Int32Array {
  const count = nodes.length / fields.nodeSize;
  const firstEdges = new Int32Array(count + 1);
  for (let node = 0; node < count; node++) {
    const edgeCount = nodes[node * fields.nodeSize + fields.edgeCount] as number;
    firstEdges[node + 1] = (firstEdges[node] as number) + edgeCount;
  }
  const [nodeTypes, edgeTypes] = [meta.node_types[0], meta.edge_types[0]];
  const owners = new Int32Array(count).fill(-1);
  const isSeen = new Uint8Array(count);
  isSeen[0] = 1;
  const queue = [0];
  // The queue grows while it is iterated.
  for (const node of queue) {
    const at = node * fields.nodeSize;
    const isObject = nodeTypes[nodes[at + fields.type] as number] === "object";
    const name = strings[nodes[at + fields.name] as number] ?? "";
    if (isObject && isOwner(name)) owners[node] = node;
    for (let edge = firstEdges[node] as number; edge < (firstEdges[node + 1] as number); edge++) {
      const edgeAt = edge * fields.edgeSize;
      if (WEAK.has(edgeTypes[edges[edgeAt + fields.edgeType] as number] ?? "")) continue;
      const to = (edges[edgeAt + fields.toNode] as number) / fields.nodeSize;
      if (isSeen[to] === 1) continue;
      isSeen[to] = 1;
      owners[to] = owners[node] as number;
      queue.push(to);
    }
  }
  return owners;
}
