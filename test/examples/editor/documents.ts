import * as Y from "yjs";

/** Documents by their names, the ones that were written last. */
export class Documents {
  readonly #documents = new Map<string, Y.Doc>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** True for bytes that Yjs can read as an update. */
  static isUpdate(bytes: Uint8Array): boolean {
    try {
      Y.decodeUpdate(bytes);
      return true;
    } catch {
      return false;
    }
  }

  /** Adds what somebody wrote. In which order, and how often, does not matter. */
  update(name: string, update: Uint8Array): void {
    const document = this.#documents.get(name) ?? new Y.Doc();
    this.#documents.delete(name);
    this.#documents.set(name, document);
    Y.applyUpdate(document, update);
    if (this.#documents.size <= this.#capacity) return;
    const [oldest] = this.#documents.keys();
    if (oldest !== undefined) this.#documents.delete(oldest);
  }

  /** What there is of a document. */
  stateVector(name: string): Uint8Array {
    return Y.encodeStateVector(this.#documents.get(name) ?? new Y.Doc());
  }

  /** What somebody lacks of a document who has so much of it; undefined where that is unreadable. */
  missing(name: string, stateVector: Uint8Array): Uint8Array | undefined {
    try {
      return Y.encodeStateAsUpdate(this.#documents.get(name) ?? new Y.Doc(), stateVector);
    } catch {
      return undefined;
    }
  }
}
