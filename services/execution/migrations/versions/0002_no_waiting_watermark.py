"""Watermarks wait at the desk until their orders are answered, no longer in a table."""

from quantmatrix.common.runtime.migrations import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql("drop table waiting_watermark")
