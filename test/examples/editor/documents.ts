import * as Y from "yjs";

/** Documents by name. Full: the document that was not written to for longest goes. */
export class Documents {
  readonly #documents = new Map<string, Y.Doc>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Reports whether Yjs can read bytes as an update. */
  static isUpdate(bytes: Uint8Array): boolean {
    try {
      Y.decodeUpdate(bytes);
      return true;
    } catch {
      return false;
    }
  }

  /** Applies an update. Order and repetition do not matter. */
  update(name: string, update: Uint8Array): void {
    const document = this.#documents.get(name) ?? new Y.Doc();
    this.#documents.delete(name);
    this.#documents.set(name, document);
    Y.applyUpdate(document, update);
    if (this.#documents.size <= this.#capacity) return;
    const [oldest] = this.#documents.keys();
    if (oldest !== undefined) this.#documents.delete(oldest);
  }

  /** Returns the state vector of a document. */
  stateVector(name: string): Uint8Array {
    return Y.encodeStateVector(this.#documents.get(name) ?? new Y.Doc());
  }

  /** Returns what a client with this state vector lacks; undefined if the vector is invalid. */
  missing(name: string, stateVector: Uint8Array): Uint8Array | undefined {
    try {
      return Y.encodeStateAsUpdate(this.#documents.get(name) ?? new Y.Doc(), stateVector);
    } catch {
      return undefined;
    }
  }
}
