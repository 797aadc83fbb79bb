/**
 * The tables of the transport, and who may do what with them.
 *
 *   sessions   one row for each session; its program inserts it, the server decides on it and ends it
 *   inbox      messages to the server; a row is deleted in the transaction that writes its reply
 *   outbox     messages to the programs, which take them
 *   joins      the topics that a session has joined, for its next holder
 *   holders    threads that hold sessions, until `expires_at`
 *
 * By row-level security, a program sees only its own sessions. It may read and insert, but not delete, because a role
 * that may delete from a table may also lock it. So rows are taken by functions that run as the schema's owner. They
 * find the role of the program by `caller`: that of SET ROLE, or the one that logged in. In these functions,
 * current_user is the owner.
 *
 * Notifications contain only ids of sessions, since every role may listen:
 *   <schema>_in             a session waits for a holder
 *   <schema>_in:<holder>    a session of the holder has rows in its inbox, or rows of its outbox were taken; if its id
 *                           follows a minus, it was deleted
 *   simurgh:<session>       the session has rows in its outbox
 *
 * Runs on: main, for `simurgh postgres`. SQL only.
 */

import { OWN_NAMES } from "../library.ts";
import type { Migration } from "../migration.ts";

/** Version 1. */
export const transportMigration: Migration = {
  name: "the transport",
  sql: (schema) =>
    [tables, sendingFunctions, takingFunctions, sweepFunction, triggers, policies]
      .map((part) => part(schema))
      .join("\n"),
};

/** Returns the statements that let a role open sessions. */
export function grantsTo(role: string, schema: string): string {
  const name = `"${role.replaceAll('"', '""')}"`;
  return `GRANT USAGE ON SCHEMA ${schema} TO ${name};
GRANT SELECT, INSERT (path, params, claims) ON ${schema}.sessions TO ${name};
GRANT SELECT, INSERT (session, join_ref, ref, topic, event, payload, bytes) ON ${schema}.inbox TO ${name};
GRANT SELECT ON ${schema}.outbox TO ${name};
GRANT EXECUTE ON FUNCTION ${FUNCTIONS.map((signature) => `${schema}.${signature}`).join(", ")} TO ${name};
`;
}

/** For functions that run as the schema's owner, with no schema that their caller could add something to. */
const DEFINER = `SECURITY DEFINER SET ${OWN_NAMES}`;

/** The functions for programs. */
const FUNCTIONS = [
  "caller()",
  "open(text, jsonb, jsonb)",
  "send(uuid, text, text, jsonb, text, text)",
  "close(uuid)",
  "take(uuid, int)",
  "acknowledge(uuid, bigint)",
];

function tables(schema: string): string {
  return `
CREATE FUNCTION ${schema}.caller() RETURNS name LANGUAGE sql STABLE PARALLEL SAFE
  RETURN CASE WHEN current_setting('role') = 'none' THEN session_user ELSE current_setting('role')::name END;

CREATE TABLE ${schema}.holders (
  id text PRIMARY KEY,
  expires_at timestamptz NOT NULL
);

CREATE TABLE ${schema}.sessions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  role name NOT NULL DEFAULT ${schema}.caller(),
  path text NOT NULL,
  params jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(params) = 'object'),
  claims jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(claims) = 'object'),
  CHECK (octet_length(path) + octet_length(params::text) + octet_length(claims::text) <= 65536),
  state text NOT NULL DEFAULT 'opening' CHECK (state IN ('opening', 'open', 'refused', 'closed')),
  code int,
  reason jsonb,
  opened_at timestamptz NOT NULL DEFAULT now(),
  active_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  holder text,
  epoch bigint NOT NULL DEFAULT 0,
  written bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE INDEX sessions_holder ON ${schema}.sessions (holder) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended_at ON ${schema}.sessions (ended_at) WHERE ended_at IS NOT NULL;
COMMENT ON COLUMN ${schema}.sessions.epoch IS 'how often the session was taken by a holder: a holder writes only while it has the current one';
COMMENT ON COLUMN ${schema}.sessions.written IS 'number of the last write of all holders, so that one that is repeated is done once';

CREATE TABLE ${schema}.inbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  session uuid NOT NULL REFERENCES ${schema}.sessions ON DELETE CASCADE,
  join_ref text,
  ref text,
  topic text NOT NULL,
  event text NOT NULL,
  payload jsonb NOT NULL DEFAULT '{}',
  bytes bytea,
  length int NOT NULL GENERATED ALWAYS AS (octet_length(payload::text) + coalesce(octet_length(bytes), 0)) STORED,
  inserted_at timestamptz NOT NULL DEFAULT now(),
  CHECK (octet_length(topic) + octet_length(event) + octet_length(concat(join_ref, ref)) <= 8192)
);
CREATE INDEX inbox_session ON ${schema}.inbox (session, id);
COMMENT ON COLUMN ${schema}.inbox.bytes IS 'a binary payload, instead of payload';
COMMENT ON COLUMN ${schema}.inbox.length IS 'of the payload in bytes, so that one that is too long need not be read';

CREATE TABLE ${schema}.outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  session uuid NOT NULL REFERENCES ${schema}.sessions ON DELETE CASCADE,
  join_ref text,
  ref text,
  topic text NOT NULL,
  event text NOT NULL,
  payload jsonb,
  bytes bytea,
  size int NOT NULL,
  inserted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_session ON ${schema}.outbox (session, id);
CREATE INDEX outbox_inserted_at ON ${schema}.outbox (inserted_at);
COMMENT ON COLUMN ${schema}.outbox.bytes IS 'a binary payload; of a reply, the response, whose status is in payload';

CREATE TABLE ${schema}.joins (
  session uuid NOT NULL REFERENCES ${schema}.sessions ON DELETE CASCADE,
  topic text NOT NULL,
  join_ref text,
  ref text,
  payload jsonb NOT NULL,
  history jsonb,
  length int NOT NULL GENERATED ALWAYS AS (octet_length(payload::text)) STORED,
  number bigint GENERATED ALWAYS AS IDENTITY,
  PRIMARY KEY (session, topic)
);
COMMENT ON COLUMN ${schema}.joins.length IS 'of the payload in bytes, so that those of many sessions can be read part by part';
COMMENT ON COLUMN ${schema}.joins.history IS 'epoch and offset of the last kept message, if the join asked for the history';`;
}

function sendingFunctions(schema: string): string {
  return `
CREATE FUNCTION ${schema}.open(path text, params jsonb DEFAULT '{}', claims jsonb DEFAULT '{}')
RETURNS uuid LANGUAGE sql
BEGIN ATOMIC
  INSERT INTO ${schema}.sessions (path, params, claims) VALUES (path, params, claims) RETURNING id;
END;
COMMENT ON FUNCTION ${schema}.open IS 'opens a session of a socket, such as /socket';

CREATE FUNCTION ${schema}.send(
  session uuid, topic text, event text, payload jsonb DEFAULT '{}', ref text DEFAULT NULL, join_ref text DEFAULT NULL
) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
  INSERT INTO ${schema}.inbox (session, join_ref, ref, topic, event, payload)
  VALUES (session, join_ref, ref, topic, event, payload) RETURNING id;
END;
COMMENT ON FUNCTION ${schema}.send IS 'sends a message to the server';

CREATE FUNCTION ${schema}.close(session uuid) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
  INSERT INTO ${schema}.inbox (session, topic, event) VALUES (session, 'phoenix', 'phx_close') RETURNING id;
END;
COMMENT ON FUNCTION ${schema}.close IS 'ends a session, after what it has sent before';
`;
}

/**
 * Returns statements that lock a session of the caller, and set `holder`. An insert into the inbox takes the same lock.
 * So `remove` skips the session instead of waiting for the program.
 */
function lockOwn(schema: string, session: string): string {
  return `  SELECT s.holder INTO holder FROM ${schema}.sessions s WHERE s.id = ${session} AND s.role = ${schema}.caller()
  FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'session must belong to the role %, got %', ${schema}.caller(), ${session}
      USING ERRCODE = 'insufficient_privilege';
  END IF;`;
}

function takingFunctions(schema: string): string {
  return `
CREATE FUNCTION ${schema}.take(session uuid, most int DEFAULT 100)
RETURNS SETOF ${schema}.outbox LANGUAGE plpgsql ${DEFINER} AS $$
#variable_conflict use_column
DECLARE
  holder text;
BEGIN
${lockOwn(schema, "take.session")}
  RETURN QUERY
    WITH first AS (
      SELECT o.id FROM ${schema}.outbox o WHERE o.session = take.session ORDER BY o.id LIMIT take.most FOR UPDATE
    ), taken AS (
      DELETE FROM ${schema}.outbox o USING first WHERE o.id = first.id RETURNING o.*
    )
    SELECT taken.* FROM taken ORDER BY taken.id;
  IF FOUND AND holder IS NOT NULL THEN
    PERFORM pg_notify('${schema}_in:' || holder, take.session::text);
  END IF;
END $$;
COMMENT ON FUNCTION ${schema}.take IS 'removes and returns the first rows of the outbox, in their order';

CREATE FUNCTION ${schema}.acknowledge(session uuid, last bigint)
RETURNS bigint LANGUAGE plpgsql ${DEFINER} AS $$
#variable_conflict use_column
DECLARE
  holder text;
  removed bigint;
BEGIN
${lockOwn(schema, "acknowledge.session")}
  DELETE FROM ${schema}.outbox o WHERE o.session = acknowledge.session AND o.id <= acknowledge.last;
  GET DIAGNOSTICS removed = ROW_COUNT;
  IF removed > 0 AND holder IS NOT NULL THEN
    PERFORM pg_notify('${schema}_in:' || holder, acknowledge.session::text);
  END IF;
  RETURN removed;
END $$;
COMMENT ON FUNCTION ${schema}.acknowledge IS 'removes the rows of the outbox up to an id, for a program that reads the table';

REVOKE EXECUTE ON FUNCTION ${FUNCTIONS.map((signature) => `${schema}.${signature}`).join(", ")} FROM PUBLIC;`;
}

function sweepFunction(schema: string): string {
  return `
CREATE FUNCTION ${schema}.sweep() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  dead text[];
BEGIN
  WITH expired AS (
    DELETE FROM ${schema}.holders h WHERE h.expires_at < now() RETURNING h.id
  )
  SELECT array_agg(id) INTO dead FROM expired;
  IF dead IS NULL THEN
    RETURN;
  END IF;
  -- A statement of its own, so that it sees what these holders have claimed until they were removed.
  UPDATE ${schema}.sessions SET holder = NULL WHERE holder = ANY (dead) AND ended_at IS NULL;
  PERFORM pg_notify('${schema}_in', '');
END $$;
COMMENT ON FUNCTION ${schema}.sweep IS 'frees the sessions of holders that have not renewed their lease';
REVOKE EXECUTE ON FUNCTION ${schema}.sweep() FROM PUBLIC;`;
}

function triggers(schema: string): string {
  return `
CREATE FUNCTION ${schema}.session_inserted() RETURNS trigger LANGUAGE plpgsql ${DEFINER} AS $$
BEGIN
  PERFORM pg_notify('${schema}_in', '');
  RETURN NULL;
END $$;
CREATE TRIGGER inserted AFTER INSERT ON ${schema}.sessions
  FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.session_inserted();

CREATE FUNCTION ${schema}.inbox_inserted() RETURNS trigger LANGUAGE plpgsql ${DEFINER} AS $$
DECLARE
  one record;
BEGIN
  FOR one IN
    SELECT s.id, s.holder, s.ended_at FROM ${schema}.sessions s
    WHERE s.id IN (SELECT n.session FROM new_rows n)
  LOOP
    IF one.ended_at IS NOT NULL THEN
      RAISE EXCEPTION 'session must be open, got %, which has ended', one.id
        USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Open another one.';
    END IF;
    IF one.holder IS NOT NULL THEN
      PERFORM pg_notify('${schema}_in:' || one.holder, one.id::text);
    END IF;
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER inserted AFTER INSERT ON ${schema}.inbox
  REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.inbox_inserted();

CREATE FUNCTION ${schema}.session_deleted() RETURNS trigger LANGUAGE plpgsql ${DEFINER} AS $$
BEGIN
  PERFORM pg_notify('${schema}_in:' || OLD.holder, '-' || OLD.id);
  RETURN NULL;
END $$;
CREATE TRIGGER deleted AFTER DELETE ON ${schema}.sessions
  FOR EACH ROW WHEN (OLD.holder IS NOT NULL) EXECUTE FUNCTION ${schema}.session_deleted();

REVOKE EXECUTE ON FUNCTION ${schema}.session_inserted(), ${schema}.session_deleted(), ${schema}.inbox_inserted()
  FROM PUBLIC;`;
}

function policies(schema: string): string {
  const own = `EXISTS (SELECT FROM ${schema}.sessions s WHERE s.id = session AND s.role = ${schema}.caller())`;
  return `
ALTER TABLE ${schema}.holders ENABLE ROW LEVEL SECURITY;
ALTER TABLE ${schema}.joins ENABLE ROW LEVEL SECURITY;
ALTER TABLE ${schema}.sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE ${schema}.inbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE ${schema}.outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_select ON ${schema}.sessions FOR SELECT USING (role = ${schema}.caller());
CREATE POLICY own_insert ON ${schema}.sessions FOR INSERT WITH CHECK (role = ${schema}.caller());
CREATE POLICY own_select ON ${schema}.inbox FOR SELECT USING (${own});
CREATE POLICY own_insert ON ${schema}.inbox FOR INSERT WITH CHECK (${own});
CREATE POLICY own_select ON ${schema}.outbox FOR SELECT USING (${own});`;
}
