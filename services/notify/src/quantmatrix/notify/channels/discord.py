"""Discord by webhook, one for each room: one message per notification, within Discord's limits, obeying its 429 answers.

Limits and the `retry_after` body: Discord developer documentation, "Execute Webhook", "Embed Limits", "Rate Limits".
"""

from collections.abc import Mapping

import httpx

from quantmatrix.common.names import Priority
from quantmatrix.common.runtime.errors import OutcomeUnknown, Refused, TryLater
from quantmatrix.notify.domain.telling import Room, Telling, Tone
from quantmatrix.notify.ports import RetryAfter
from quantmatrix.notify.settings import NotifySettings

TITLE_MAX = 256
DESCRIPTION_MAX = 4096
FIELDS_MAX, FIELD_NAME_MAX, FIELD_VALUE_MAX = 25, 256, 1024
EMBED_MAX = 6000
DESCRIPTION_LEAST, INLINE_MAX = 500, 40
RETRY_AFTER_MAX_S = 3_600.0
_GONE = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND)
_TONES = {Tone.GREEN: 0x16A34A, Tone.YELLOW: 0xEAB308, Tone.ORANGE: 0xF97316}
_COLOURS = {Priority.LOW: 0x8A8F98, Priority.NORMAL: 0x3B82F6, Priority.HIGH: 0xF59E0B, Priority.CRITICAL: 0xDC2626}


class DiscordChannel:
    """Posts an embed and waits until Discord has stored it (`wait=true`)."""

    name = "discord"
    immediate = False

    def __init__(self, webhook_url: str, *, timeout_s: float, rooms: Mapping[Room, str] | None = None) -> None:
        """webhook_url: of all rooms that `rooms` has no webhook for; empty for none, and then those rooms are not carried."""
        self._url, self._rooms = webhook_url, rooms or {}
        self._gone: dict[str, Refused] = {}
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(timeout_s), follow_redirects=False)

    def carries(self, telling: Telling) -> bool:
        return bool(self._webhook(telling))

    def _webhook(self, telling: Telling) -> str:
        return self._rooms.get(telling.room) or self._url

    async def send(self, telling: Telling) -> None:
        """Raises RetryAfter on 429, TryLater when nothing was sent, Refused on other 4xx, OutcomeUnknown when no answer came.

        A webhook that Discord does not know any more is not asked again: too many such calls block the address.
        """
        url = self._webhook(telling)
        if url in self._gone:
            raise self._gone[url]
        try:
            answer = await self._client.post(url, params={"wait": "true"}, json=_body(telling))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise TryLater(f"Discord cannot be reached: {type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise OutcomeUnknown(f"no answer from Discord: {type(error).__name__}") from error
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise RetryAfter(_retry_after(answer))
        if answer.status_code in _GONE:
            own = f"_{telling.room.upper()}" if self._rooms.get(telling.room) else "_URL"
            self._gone[url] = Refused(
                "DISCORD_WEBHOOK_GONE",
                f"Discord does not know the webhook ({answer.status_code}); it is not used any more: "
                f"make a new one, set QM_NOTIFY_DISCORD_WEBHOOK{own} and restart notify",
            )
            raise self._gone[url]
        if answer.is_server_error:
            raise TryLater(f"Discord answers {answer.status_code}")
        if not answer.is_success:
            raise Refused("DISCORD_REFUSED", f"Discord answers {answer.status_code}")


def make(settings: NotifySettings) -> DiscordChannel | None:
    url = settings.discord_webhook_url.get_secret_value()
    told = {room: getattr(settings, f"discord_webhook_{room}").get_secret_value() for room in Room}
    rooms = {room: own for room, own in told.items() if own}
    return DiscordChannel(url, timeout_s=settings.send_timeout_s, rooms=rooms) if url or rooms else None


def _body(telling: Telling) -> dict[str, object]:
    """Title and figures first; the description gets what is left of the whole."""
    title, footer = telling.title[:TITLE_MAX], f"QuantMatrix · {telling.topic} · {telling.notification_id}"
    left = EMBED_MAX - len(title) - len(footer)
    fields = []
    for name, figure in telling.fields[:FIELDS_MAX]:
        field = {"name": name[:FIELD_NAME_MAX], "value": figure[:FIELD_VALUE_MAX], "inline": len(figure) <= INLINE_MAX}
        size = len(name[:FIELD_NAME_MAX]) + len(figure[:FIELD_VALUE_MAX])
        if not (name and figure) or size > left - DESCRIPTION_LEAST:
            continue
        left -= size
        fields.append(field)
    embed: dict[str, object] = {
        "title": title,
        "description": telling.body[: min(DESCRIPTION_MAX, left)],
        "color": _TONES[telling.tone] if telling.tone is not None else _COLOURS[telling.priority],
        "footer": {"text": footer},
    }
    return {"embeds": [embed | ({"fields": fields} if fields else {})], "allowed_mentions": {"parse": []}}


def _retry_after(answer: httpx.Response) -> float:
    """Seconds from the body, else from the header, within bounds."""
    try:
        told = float(answer.json()["retry_after"])
    except (ValueError, KeyError, TypeError):
        try:
            told = float(answer.headers.get("Retry-After", "5"))
        except ValueError:
            told = 5.0
    return min(max(told, 0.1), RETRY_AFTER_MAX_S)
