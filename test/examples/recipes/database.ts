/** Stands for the pool of your database's client, such as `new Pool({ max: 5 })` of the package pg. */
export class Pool {
  static #ids = new Map([
    ["ann", 1],
    ["bob", 2],
  ]);
  isOpen = true;

  async idOf(name: string): Promise<number | undefined> {
    if (!this.isOpen) throw new Error("the pool is closed");
    return Pool.#ids.get(name);
  }

  async end(): Promise<void> {
    this.isOpen = false;
  }
}
