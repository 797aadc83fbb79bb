/**
 * Decodes the messages of a slot into changes, with their positions and the ends of transactions.
 *
 * The package `pg-logical-replication` reads the binary form. Its parsers of values are replaced by ours, so that
 * both ways of a source yield the same values.
 *
 * A transaction arrives as a whole, after it was committed: begin, its changes, commit. Each time that it is sent, its
 * changes have the same numbers.
 *
 * Runs on: shard, if it leads.
 */

import type { Pgoutput, PgoutputPlugin } from "pg-logical-replication";

import type { SimurghError } from "../../errors.ts";
import { loadPackage } from "../../optional-package.ts";
import { withMarksTwice } from "./byte-order-marks.ts";
import type { Change, ChangeOperation, Row } from "./change.ts";
import { MAX_CHANGE_BYTES, tooLarge, unreadable, type ChangePlace } from "./change-rules.ts";
import { parserOf, type TypeTable } from "./column-values.ts";
import { NO_POSITION, parsePosition } from "./positions.ts";

/** A change, why it is left out, or the end of a transaction, with its place in the log. */
export type Decoded =
  | (DecodedPlace & { readonly change: Change })
  | (DecodedPlace & { readonly failure: SimurghError })
  | { readonly end: bigint };

/** Where a change is in the log, and of which table. */
interface DecodedPlace {
  readonly commit: bigint;
  /** Number of the change in its transaction. */
  readonly number: number;
  /** Name of the table, with schema. */
  readonly table: string;
}

/** Operations by the first byte of their message, whose next four bytes are the number of the relation. */
const OPERATIONS: ReadonlyMap<number | undefined, ChangeOperation> = new Map([
  [0x49, "insert"],
  [0x55, "update"],
  [0x44, "delete"],
]);
const RELATION_OFFSET = 1;
/** Types with smaller numbers are PostgreSQL's own, which never change. */
export const FIRST_OWN_TYPE = 16_384;

/** The types of a database at some time. */
export interface LoadedTypes extends TypeTable {
  /** The user-defined types that existed then. */
  readonly known: ReadonlySet<number>;
}

type Message = Pgoutput.Message;
type Relation = Pgoutput.MessageRelation;

/** Loads the package. @throws SIM_ERR_CLIENT_PACKAGE (rejects) if it is not installed */
export async function loadDecoder(publication: string): Promise<PgoutputPlugin> {
  const { PgoutputPlugin: Plugin } = await loadPackage(
    "pg-logical-replication",
    "to read changes by replication",
    () => import("pg-logical-replication"),
  );
  return new Plugin({ protoVersion: 1, publicationNames: [publication] });
}

/** A decoder of one stream. */
export class ReplicationDecoder {
  readonly #plugin: PgoutputPlugin;
  #types: LoadedTypes;
  readonly #relations = new Map<number, Relation>();
  #lacksTypes = false;
  #commit = NO_POSITION;
  /** When the transaction was committed (µs since 1970). */
  #micros = 0n;
  #number = 0;
  #isInTransaction = false;

  constructor(plugin: PgoutputPlugin, types: LoadedTypes) {
    this.#plugin = plugin;
    this.#types = types;
  }

  /** Whether the rest of a transaction is still to come. */
  get isInTransaction(): boolean {
    return this.#isInTransaction;
  }

  /** Whether a relation has a type that is not known: no more may be decoded until `learn` was called. */
  get lacksTypes(): boolean {
    return this.#lacksTypes;
  }

  /** Takes the types that the database has now. */
  learn(types: LoadedTypes): void {
    this.#types = types;
    for (const relation of this.#relations.values()) this.#setParsers(relation);
    // A type that has been dropped meanwhile stays unknown; its values are texts.
    this.#lacksTypes = false;
  }

  /**
   * Decodes a message. A change that cannot be decoded is left out: the server would send it again for ever.
   *
   * @throws if it is none that we know
   */
  decode(bytes: Buffer): readonly Decoded[] {
    const operation = OPERATIONS.get(bytes[0]);
    if (operation === undefined) return this.#decodeOther(bytes);
    const relation = this.#relations.get(bytes.readInt32BE(RELATION_OFFSET));
    if (relation === undefined) throw new Error(`a change (${operation}) must follow its relation`);
    const placed = this.#placed(operation, relation);
    const { place } = placed;
    if (bytes.length > MAX_CHANGE_BYTES) {
      return [{ ...placed.at, failure: tooLarge(place, bytes.length) }];
    }
    try {
      return [
        { ...placed.at, change: this.#change(place, this.#plugin.parse(withMarksTwice(bytes))) },
      ];
    } catch (cause) {
      return [{ ...placed.at, failure: unreadable(place, cause) }];
    }
  }

  #decodeOther(bytes: Buffer): readonly Decoded[] {
    const message = this.#plugin.parse(bytes);
    switch (message.tag) {
      case "begin":
        this.#begin(message);
        return [];
      case "commit":
        this.#isInTransaction = false;
        return [{ end: parsePosition(message.commitEndLsn ?? "0/0") }];
      case "relation":
        this.#relations.set(message.relationOid, message);
        this.#setParsers(message);
        return [];
      case "truncate":
        return message.relations.map((relation) => {
          const { at, place } = this.#placed("truncate", relation);
          return { ...at, change: this.#change(place, message) };
        });
      default:
        // The origin of a transaction, a type, a message in the log.
        return [];
    }
  }

  #begin({ commitLsn, commitTime }: Extract<Message, { tag: "begin" }>): void {
    this.#isInTransaction = true;
    this.#commit = parsePosition(commitLsn ?? "0/0");
    this.#micros = commitTime.valueOf();
    this.#number = 0;
  }

  // The package keeps this object and reads the parsers for each tuple.
  #setParsers(relation: Relation): void {
    for (const column of relation.columns) {
      // The package reads it as a signed number.
      const type = column.typeOid >>> 0;
      column.parser = parserOf(type, this.#types);
      this.#lacksTypes ||= type >= FIRST_OWN_TYPE && !this.#types.known.has(type);
    }
  }

  /** Returns the place of the next change: where it is in the log, and what errors say of it. */
  #placed(
    operation: ChangeOperation,
    { schema, name: table }: Relation,
  ): { readonly at: DecodedPlace; readonly place: ChangePlace } {
    const at = { commit: this.#commit, number: this.#number, table: `${schema}.${table}` };
    this.#number += 1;
    // After a failover, the same positions may be those of other transactions.
    const position = `${at.commit.toString(16).toUpperCase()}-${this.#micros}-${at.number}`;
    return { at, place: { operation, schema, table, position } };
  }

  #change(place: ChangePlace, message: Message): Change {
    const row = "new" in message ? message.new : null;
    const old = "old" in message ? (message.old ?? message.key) : null;
    const isFull = "relation" in message && message.relation.replicaIdentity === "full";
    return {
      ...place,
      row: row === null ? undefined : present(row),
      old: old === null ? undefined : present(old),
      hasWholeOld: old !== null && isFull,
      unchanged: row === null ? [] : Object.keys(row).filter((name) => row[name] === undefined),
      time: new Date(Number(this.#micros / 1_000n)),
    };
  }
}

/** Returns the columns of a tuple that were sent. */
function present(tuple: Readonly<Record<string, unknown>>): Row {
  return Object.fromEntries(Object.entries(tuple).filter(([, value]) => value !== undefined));
}
