"""The morning's letter in words: how the indices moved, the best setups, and how the scan went."""

from datetime import date

from quantmatrix.common.contracts.asking.briefing import Morning, MorningSetup


def morning_title(session: date, told: Morning) -> str:
    """One line: the session that is to come and how many setups there are."""
    return f"Morning of {session}: {told.hits} of {told.scanned} fit {told.preset}"


def morning_text(told: Morning) -> str:
    """Moves of the last session, a line for each setup, then what could not be read."""
    moves = [f"{one.symbol} {one.change_pct:+.2f} %" for one in told.indices if one.change_pct is not None]
    absent = [one.symbol for one in told.indices if one.change_pct is None]
    lines = [", ".join(moves) + "." if moves else "No index is listed."]
    if absent and moves:
        lines.append(f"Not known: {', '.join(absent)}.")
    lines += [_setup(one) for one in told.setups] or ["No setup fits."]
    if told.unread:
        lines.append(f"{len(told.unread)} could not be read: {', '.join(one.symbol for one in told.unread[:5])}.")
    return "\n".join(lines)


def _setup(one: MorningSetup) -> str:
    targets = "".join(f", T{number} {target:.2f}" for number, target in enumerate(one.targets, start=1))
    return (
        f"{one.symbol}: entry {one.entry:.2f}, stop {one.stop:.2f}{targets}, reward to risk {one.risk_reward:.1f}, "
        f"{one.horizon_days} days (close of {one.session})."
    )
