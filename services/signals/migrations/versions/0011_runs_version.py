"""A number that moves with whatever the decisions of runs build on, so that it can be remembered from one moment to the next."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0011"
down_revision = "0010"

TABLES = """
create table runs_version (one boolean primary key default true check (one), version bigint not null) with (fillfactor = 10);
insert into runs_version (version) values (0);
comment on table runs_version is 'Moves with every change of run, holding, working and account: who remembers these insists on it.';

create function runs_changed() returns trigger language plpgsql set search_path from current as $$
begin
    update runs_version set version = version + 1;
    return null;
end $$;

create trigger runs_changed after insert or update or delete or truncate on run for each statement execute function runs_changed();
create trigger runs_changed after insert or update or delete or truncate on holding for each statement execute function runs_changed();
create trigger runs_changed after insert or update or delete or truncate on working for each statement execute function runs_changed();
create trigger runs_changed after insert or update or delete or truncate on account for each statement execute function runs_changed();
"""


def upgrade() -> None:
    run_sql(TABLES)
