/** A message of a room. */
export interface Said {
  readonly id: string;
  /** Topic of the room. */
  readonly room: string;
  readonly from: string;
  readonly text: string;
  readonly atMs: number;
}

/**
 * The latest messages of each room, in the memory of a shard.
 *
 * Full: a full room drops its oldest message; if there are too many rooms, the one silent for longest goes.
 */
export class History {
  readonly #rooms = new Map<string, Said[]>();
  readonly #perRoom: number;
  readonly #mostRooms: number;

  constructor(limits: { readonly perRoom: number; readonly rooms: number }) {
    this.#perRoom = limits.perRoom;
    this.#mostRooms = limits.rooms;
  }

  add(message: Said): void {
    const messages = this.#rooms.get(message.room) ?? [];
    messages.push(message);
    if (messages.length > this.#perRoom) messages.shift();
    // Moves the room to the end of the map, so that the first room is the one silent for longest.
    this.#rooms.delete(message.room);
    this.#rooms.set(message.room, messages);
    if (this.#rooms.size <= this.#mostRooms) return;
    for (const silent of this.#rooms.keys()) {
      this.#rooms.delete(silent);
      return;
    }
  }

  /** Returns the latest messages of a room, oldest first. */
  of(room: string): readonly Said[] {
    return this.#rooms.get(room) ?? [];
  }

  clear(): void {
    this.#rooms.clear();
  }
}
