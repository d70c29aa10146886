"""A report read whole: its parts one after the other, as long as the ledger does not change meanwhile."""

import base64
from collections.abc import Awaitable, Callable

import msgspec

from quantmatrix.common.contracts.asking.performance import ReportAsked, ReportPart
from quantmatrix.common.runtime.errors import Refused

PARTS_MAX = 200
CHANGED = "REPORT_CHANGED"


async def whole_report(ask: Callable[[ReportAsked], Awaitable[ReportPart]], asked: ReportAsked) -> tuple[ReportPart, bytes]:
    """The first part, and the bytes of the file. Raises Refused when it changed while it was read, or has too many parts."""
    texts: list[str] = []
    first: ReportPart | None = None
    offset: int | None = 0
    for _ in range(PARTS_MAX):
        part = await ask(msgspec.structs.replace(asked, offset=offset or 0))
        first = first or part
        if part.digest != first.digest:
            raise Refused(CHANGED, "the ledger changed while the report was read; ask again")
        texts.append(part.text)
        offset = part.next_offset
        if offset is None:
            text = "".join(texts)
            return first, base64.b64decode(text) if first.base64 else text.encode()
    raise Refused("REPORT_TOO_LONG", "the report is too long; choose a year or an account")
