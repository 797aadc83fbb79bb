/**
 * The figures that custom transports measure (`host.measure`).
 *
 * Runs on: shard; one instance for all custom transports.
 * Full: a transport has at most 16 figures, and all of a shard as many as the board has places.
 */

import { invalidOption, shown } from "../../definition-checks.ts";
import type { FigureBoard } from "./figure-board.ts";

const MAX_PER_TRANSPORT = 16;
const NAME = /^[a-z][a-zA-Z0-9]*$/;
const MAX_NAME_LENGTH = 64;

/** The figures of a shard's custom transports. */
export class TransportFigures {
  readonly #board: FigureBoard;
  /** Numbers of the figures, by transport and name. */
  readonly #numbers = new Map<string, Map<string, number>>();
  #size = 0;

  constructor(board: FigureBoard) {
    this.#board = board;
  }

  /** Publishes the value of a figure, or removes it. @throws SIM_ERR_OPTION_INVALID */
  measure(transport: string, name: string, value: number | undefined): void {
    if (value !== undefined && !Number.isFinite(value)) {
      throw invalidOption(`value of ${shown(name)} must be a finite number, got ${shown(value)}`);
    }
    const figure = this.#numbers.get(transport)?.get(name) ?? this.#add(transport, name);
    this.#board.set(figure, value);
  }

  #add(transport: string, name: unknown): number {
    if (typeof name !== "string" || !NAME.test(name) || name.length > MAX_NAME_LENGTH) {
      const rule = `name of a figure must be up to ${MAX_NAME_LENGTH} ASCII letters and digits`;
      throw invalidOption(`${rule} in camelCase, got ${shown(name)}`);
    }
    const numbers = this.#numbers.get(transport) ?? new Map<string, number>();
    if (numbers.size >= MAX_PER_TRANSPORT) {
      throw invalidOption(`a transport may have ${MAX_PER_TRANSPORT} figures, got ${name} as well`);
    }
    if (this.#size >= this.#board.size) {
      const rule = `all transports together may have ${this.#board.size} figures`;
      throw invalidOption(`${rule}, got ${name} of ${transport} as well`);
    }
    const figure = this.#size;
    this.#board.name(figure, transport, name);
    this.#size += 1;
    this.#numbers.set(transport, numbers.set(name, figure));
    return figure;
  }
}
