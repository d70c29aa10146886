"""What makes a daily bar unbelievable. A finding never changes a price; it is told, or the row is refused."""

from datetime import date

from quantmatrix.common.calendars import TradingCalendar
from quantmatrix.market.domain.listing import DailyBar


def faults_of(bar: DailyBar, calendar: TradingCalendar) -> list[str]:
    """Sentences about what cannot be true of this bar; an empty list when it is plausible by itself."""
    found = []
    if min(bar.open, bar.high, bar.low, bar.close).value <= 0:
        found.append("a price is zero or negative")
    if bar.low > min(bar.open, bar.close):
        found.append(f"the low {bar.low} is above the open {bar.open} or the close {bar.close}")
    if bar.high < max(bar.open, bar.close):
        found.append(f"the high {bar.high} is below the open {bar.open} or the close {bar.close}")
    if bar.volume.value < 0:
        found.append(f"the volume {bar.volume} is negative")
    if not calendar.is_session(bar.session):
        found.append(f"{bar.session} is not a session of {calendar.name}")
    return found


def missing_sessions(bars: list[DailyBar], calendar: TradingCalendar) -> list[date]:
    """Sessions between an instrument's first and last bar that have none."""
    if not bars:
        return []
    have = {bar.session for bar in bars}
    return [session.day for session in calendar.sessions(bars[0].session, bars[-1].session) if session.day not in have]
