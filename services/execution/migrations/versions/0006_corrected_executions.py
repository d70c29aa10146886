"""What an execution corrects is looked for when the corrected one is reported after it."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0006"
down_revision = "0005"

CHANGES = "create index execution_corrects on execution (account_id, corrects) where corrects is not null;"


def upgrade() -> None:
    run_sql(CHANGES)
