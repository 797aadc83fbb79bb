/**
 * What `simurgh postgres install` creates for sources by triggers: a table of changes, and functions that watch tables.
 *
 *   simurgh.watch('public.orders')     creates triggers that write each change of the table to simurgh.changes
 *   simurgh.unwatch('public.orders')   drops them
 *
 * A change is written in the transaction that makes it, so it exists if and only if that commits.
 *
 * Runs on: main, for `simurgh postgres`; shard, for the check of the version.
 */

import { OWN_NAMES } from "../library.ts";
import type { Migration } from "../migration.ts";

/** Creates what sources by triggers need. */
export const sourceMigration: Migration = {
  name: "source",
  sql: (schema) => [table, recording, watching].map((part) => part(schema)).join("\n"),
};

function table(schema: string): string {
  return `
create table ${schema}.changes (
  id bigint generated always as identity primary key,
  source text not null,
  xid xid8 not null default pg_current_xact_id(),
  time timestamptz not null default clock_timestamp(),
  table_schema text not null,
  table_name text not null,
  operation text not null,
  new_row json,
  old_row json,
  bytes int not null
    generated always as (coalesce(octet_length(new_row::text), 0) + coalesce(octet_length(old_row::text), 0)) stored,
  published_at timestamptz
) with (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 10000);
comment on table ${schema}.changes is 'Changes of watched tables that wait to be published by Simurgh';
comment on column ${schema}.changes.bytes is 'of both rows as text, so that a change that is too large need not be read';
create index changes_waiting on ${schema}.changes (source, id) where published_at is null;
create index changes_published on ${schema}.changes (source, published_at) where published_at is not null;
`;
}

function recording(schema: string): string {
  return `
create function ${schema}.has_foreign_cast(watched oid) returns boolean
language sql stable set ${OWN_NAMES}
return exists (
  with recursive types (id) as (
    select atttypid from pg_attribute where attrelid = watched and attnum > 0 and not attisdropped
    union
    select inner_type.id from types join pg_type t on t.oid = types.id cross join lateral (
      select t.typbasetype union all select t.typelem
      union all select atttypid from pg_attribute where attrelid = t.typrelid and attnum > 0 and not attisdropped
    ) inner_type (id)
  )
  select from types
  join pg_cast c on c.castsource = types.id and c.casttarget = 'json'::regtype
  join pg_proc p on p.oid = c.castfunc
  where not pg_has_role(p.proowner, current_user, 'usage')
);
comment on function ${schema}.has_foreign_cast(oid) is
  'Whether a type of the table, or one inside of it, has a cast to json of another owner than the schema';
revoke all on function ${schema}.has_foreign_cast(oid) from public;

create function ${schema}.record_change() returns trigger
language plpgsql security definer
set ${OWN_NAMES}
set timezone = 'UTC' set bytea_output = 'hex' set intervalstyle = 'postgres' set extra_float_digits = 1
as $function$
begin
  if tg_level = 'ROW' then
    -- row_to_json calls the casts of types to json, as the owner of the schema. The cheap questions come first: few tables
    -- have types that are not PostgreSQL's own, and few databases have such a cast.
    if exists (
      select from pg_attribute where attrelid = tg_relid and attnum > 0 and atttypid >= 16384
    ) and exists (
      select from pg_cast c join pg_proc p on p.oid = c.castfunc
      where c.casttarget = 'json'::regtype and not pg_has_role(p.proowner, current_user, 'usage')
    ) and ${schema}.has_foreign_cast(tg_relid) then
      raise exception 'a type of the watched table %.% must not have a cast to json of another owner than the schema', tg_argv[1], tg_argv[2]
        using errcode = 'insufficient_privilege';
    end if;
    insert into ${schema}.changes (source, table_schema, table_name, operation, new_row, old_row)
    values (tg_argv[0], tg_argv[1], tg_argv[2], lower(tg_op), row_to_json(new), row_to_json(old));
  else
    insert into ${schema}.changes (source, table_schema, table_name, operation)
    values (tg_argv[0], tg_argv[1], tg_argv[2], lower(tg_op));
  end if;
  if tg_argv[3] = 'notify' then
    perform pg_notify('${schema}_changes', tg_argv[0]);
  end if;
  return null;
end
$function$;
comment on function ${schema}.record_change() is 'Writes a change of a watched table';
-- A role that could create a trigger with this function could write changes of any table.
revoke all on function ${schema}.record_change() from public;
`;
}

function watching(schema: string): string {
  return `
create function ${schema}.watch(watched regclass, source text default 'postgres_source', notify boolean default true)
returns void language plpgsql set ${OWN_NAMES} as $function$
declare
  arguments text;
begin
  if source !~ '^[a-z_][a-z0-9_]{0,39}$' then
    raise exception 'source must be at most 40 lower-case letters, digits and _, got %', source;
  end if;
  select format('%L, %L, %L, %L', source, n.nspname, c.relname, case when notify then 'notify' else 'silent' end)
    into arguments from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = watched;
  perform ${schema}.unwatch(watched, source);
  execute format('create trigger %I after insert or update or delete on %s for each row execute function ${schema}.record_change(%s)',
    'simurgh_' || source, watched, arguments);
  execute format('create trigger %I after truncate on %s for each statement execute function ${schema}.record_change(%s)',
    'simurgh_' || source || '_truncate', watched, arguments);
end
$function$;
comment on function ${schema}.watch(regclass, text, boolean) is 'Has the changes of a table published by a source';

create function ${schema}.unwatch(watched regclass, source text default 'postgres_source')
returns void language plpgsql set ${OWN_NAMES} set client_min_messages = warning as $function$
begin
  execute format('drop trigger if exists %I on %s', 'simurgh_' || source, watched);
  execute format('drop trigger if exists %I on %s', 'simurgh_' || source || '_truncate', watched);
end
$function$;
comment on function ${schema}.unwatch(regclass, text) is 'Stops publishing the changes of a table';
`;
}
