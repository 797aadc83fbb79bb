/**
 * The statements of a holder, in a schema.
 *
 * Runs on: shard. SQL only.
 */

/** The statements, by what they do. */
export interface Statements {
  /** Renews the lease. $1: holder, $2: ms. Returns a row if it was not lost. */
  readonly renew: string;
  /** Begins a lease. $1: holder, $2: ms */
  readonly register: string;
  /** Ends a lease, so that `sweep` frees what the holder has claimed meanwhile. $1: holder */
  readonly leave: string;
  readonly sweep: string;
  /** Takes sessions that have no holder. $1: holder, $2: how many */
  readonly claim: string;
  /** Frees the sessions of a holder that are not in a list. $1: holder, $2: ids */
  readonly strays: string;
  /** Returns joins of sessions, in their order. $1: ids, $2: bytes, $3, $4: session and number of the last one read before */
  readonly joins: string;
  /** Returns rows of inboxes. $1: JSON list of `{ id, most, skip }`, $2: bytes for each session, $3: bytes of a row */
  readonly fetch: string;
  /** Returns the sessions of a holder that have rows in their inbox. $1: holder, $2: how many */
  readonly waiting: string;
  /** Writes what sessions have done and sent. $1: JSON of `writer`, $2: holder. Returns those that it wrote. */
  readonly write: string;
  /** Returns the state of sessions. $1: ids, $2: holder */
  readonly held: string;
  /** Returns how full outboxes are. $1: ids */
  readonly sizes: string;
  /** Returns sessions that are idle, or do not take their rows. $1: holder, $2: idle ms, $3: retention ms */
  readonly overdue: string;
  /** Deletes sessions that have ended. $1: retention ms, $2: how many */
  readonly remove: string;
}

/** Returns the statements for a schema. */
export function statementsFor(schema: string): Statements {
  return {
    renew: `UPDATE ${schema}.holders SET expires_at = ${later("$2")} WHERE id = $1 RETURNING id`,
    // The row exists already if the answer to an earlier attempt was lost.
    register: `
      INSERT INTO ${schema}.holders (id, expires_at) VALUES ($1, ${later("$2")})
      ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at`,
    // The update waits for a claim that is under way. If the row were deleted instead, `sweep` would not find the sessions
    // of that claim.
    leave: `UPDATE ${schema}.holders SET expires_at = '-infinity' WHERE id = $1`,
    sweep: `SELECT ${schema}.sweep()`,
    claim: claimIn(schema),
    strays: `
      UPDATE ${schema}.sessions SET holder = NULL
      WHERE holder = $1 AND ended_at IS NULL AND id <> ALL ($2::uuid[])`,
    joins: joinsIn(schema),
    fetch: fetchIn(schema),
    // LIMIT 1 makes this one look-up in the index for each session, however many rows it has.
    waiting: `
      SELECT s.id FROM ${schema}.sessions s
      CROSS JOIN LATERAL (SELECT FROM ${schema}.inbox i WHERE i.session = s.id LIMIT 1) one
      WHERE s.holder = $1 AND s.ended_at IS NULL LIMIT $2`,
    write: writeIn(schema),
    held: `
      SELECT id, epoch::text AS epoch, written::text AS written
      FROM ${schema}.sessions WHERE id = ANY ($1::uuid[]) AND holder = $2`,
    sizes: `
      SELECT w.id, count(o.id)::int AS rows, coalesce(sum(o.size), 0)::float8 AS bytes
      FROM unnest($1::uuid[]) AS w (id) LEFT JOIN ${schema}.outbox o ON o.session = w.id GROUP BY w.id`,
    overdue: `
      SELECT s.id, $2 > 0 AND s.active_at < ${earlier("$2")} AS is_idle
      FROM ${schema}.sessions s WHERE s.holder = $1 AND s.ended_at IS NULL AND (
        ($2 > 0 AND s.active_at < ${earlier("$2")})
        OR EXISTS (SELECT FROM ${schema}.outbox o WHERE o.session = s.id AND o.inserted_at < ${earlier("$3")})
      )`,
    remove: `
      DELETE FROM ${schema}.sessions WHERE id IN (
        SELECT id FROM ${schema}.sessions WHERE ended_at < ${earlier("$1")} LIMIT $2 FOR UPDATE SKIP LOCKED
      )`,
  };
}

// The lock on the holder's own row prevents `sweep` from freeing its sessions while this statement adds some.
function claimIn(schema: string): string {
  return `
    WITH me AS (
      SELECT id FROM ${schema}.holders WHERE id = $1 AND expires_at > now() FOR SHARE
    ), free AS (
      SELECT s.id FROM ${schema}.sessions s WHERE s.holder IS NULL AND s.ended_at IS NULL
      ORDER BY s.opened_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE ${schema}.sessions s SET holder = me.id, epoch = s.epoch + 1
    FROM free, me WHERE s.id = free.id
    RETURNING s.id, s.role, s.path, s.params, s.claims, s.state, s.epoch::text AS epoch, s.written::text AS written`;
}

// The first join is returned however long it is. Only the payloads of joins that are returned are read.
function joinsIn(schema: string): string {
  return `
    SELECT session, topic, join_ref, ref, payload::text AS payload, history, length, number::text AS number
    FROM (
      SELECT j.*, sum(j.length::bigint) OVER (ORDER BY j.session, j.number) - j.length AS before
      FROM ${schema}.joins j WHERE j.session = ANY ($1::uuid[]) AND (j.session, j.number) > ($3::uuid, $4::bigint)
    ) s
    WHERE before < $2 ORDER BY session, number`;
}

// The first row of a session is returned however long it is. A row longer than $3 is returned without its payload. Only the
// payloads of rows that are returned are read, since the sums are made from the column with their lengths.
function fetchIn(schema: string): string {
  return `
    SELECT w.id AS session, i.id::text AS id, i.join_ref, i.ref, i.topic, i.event,
      CASE WHEN i.length <= $3 THEN i.payload::text END AS payload,
      CASE WHEN i.length <= $3 THEN i.bytes END AS bytes, i.length > $3 AS is_too_long
    FROM jsonb_to_recordset($1::jsonb) AS w (id uuid, most int, skip bigint[])
    CROSS JOIN LATERAL (
      SELECT r.*, row_number() OVER (ORDER BY r.id) AS number,
        sum(r.length::bigint + octet_length(r.topic) + octet_length(r.event)) OVER (ORDER BY r.id) AS total
      FROM (
        SELECT m.id, m.join_ref, m.ref, m.topic, m.event, m.payload, m.bytes, m.length
        FROM ${schema}.inbox m WHERE m.session = w.id AND m.id <> ALL (coalesce(w.skip, '{}'))
        ORDER BY m.id LIMIT w.most
      ) r
    ) i
    WHERE i.total <= $2 OR i.number = 1
    ORDER BY w.id, i.id`;
}

// A session is written if this holder still has it, and if this write was not done before. `held` decides that and locks
// the session; the other parts join with it.
function writeIn(schema: string): string {
  return `
    WITH batch AS MATERIALIZED (
      SELECT $1::jsonb AS b
    ), held AS (
      UPDATE ${schema}.sessions s SET
        written = g.n,
        active_at = CASE WHEN g.active THEN now() ELSE s.active_at END,
        state = coalesce(g.state, s.state),
        code = coalesce(g.code, s.code),
        reason = coalesce(g.reason, s.reason),
        ended_at = CASE WHEN g.state IN ('refused', 'closed') THEN now() ELSE s.ended_at END,
        holder = CASE WHEN g.free THEN NULL ELSE s.holder END
      FROM batch, jsonb_to_recordset(b -> 's') AS g
        (id uuid, epoch bigint, n bigint, active bool, state text, code int, reason jsonb, free bool)
      WHERE s.id = g.id AND s.holder = $2 AND s.epoch = g.epoch AND s.written < g.n
      RETURNING s.id, s.ended_at, g.free
    ), handled AS (
      DELETE FROM ${schema}.inbox i
      USING batch, jsonb_to_recordset(b -> 'd') AS d (s uuid, i bigint), held h
      WHERE i.id = d.i AND h.id = d.s AND i.session = h.id
    ), sent AS (
      INSERT INTO ${schema}.outbox (session, join_ref, ref, topic, event, payload, bytes, size)
      SELECT h.id, o.j, o.r, o.t, o.e, o.p, decode(o.b, 'base64'), o.z
      FROM batch, jsonb_to_recordset(b -> 'o') AS o (k int, s uuid, j text, r text, t text, e text, p jsonb, b text, z int)
      JOIN held h ON h.id = o.s
      ORDER BY o.k
      RETURNING session
    ), joined AS (
      INSERT INTO ${schema}.joins (session, topic, join_ref, ref, payload, history)
      SELECT h.id, j.t, j.j, j.r, j.p, j.h
      FROM batch, jsonb_to_recordset(b -> 'j') AS j (k int, s uuid, t text, j text, r text, p jsonb, h jsonb)
      JOIN held h ON h.id = j.s
      ORDER BY j.k
      ON CONFLICT (session, topic) DO UPDATE
        SET join_ref = excluded.join_ref, ref = excluded.ref, payload = excluded.payload,
          history = excluded.history, number = DEFAULT
    ), passed AS (
      UPDATE ${schema}.joins o SET history = p.h
      FROM batch, jsonb_to_recordset(b -> 'p') AS p (s uuid, t text, h jsonb), held h
      WHERE h.id = p.s AND o.session = h.id AND o.topic = p.t
    ), gone AS (
      DELETE FROM ${schema}.joins o
      USING batch, jsonb_to_recordset(b -> 'g') AS g (s uuid, t text), held h
      WHERE h.id = g.s AND o.session = h.id AND o.topic = g.t
    )
    SELECT h.id,
      (SELECT pg_notify('simurgh:' || h.id, '') WHERE EXISTS (SELECT FROM sent WHERE sent.session = h.id))::text,
      (SELECT pg_notify('${schema}_in', '') WHERE h.free AND h.ended_at IS NULL)::text
    FROM held h`;
}

/** @param parameter - number of ms */
function later(parameter: string): string {
  return `now() + ${parameter}::float8 * interval '1 millisecond'`;
}

/** @param parameter - number of ms */
function earlier(parameter: string): string {
  return `now() - ${parameter}::float8 * interval '1 millisecond'`;
}
