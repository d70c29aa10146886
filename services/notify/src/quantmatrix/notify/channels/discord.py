"""Discord by webhook: one message per notification, within Discord's limits, obeying its 429 answers.

Limits and the `retry_after` body: Discord developer documentation, "Execute Webhook", "Embed Limits", "Rate Limits".
"""

import httpx

from quantmatrix.common.names import Priority
from quantmatrix.common.runtime.errors import OutcomeUnknown, Refused, TryLater
from quantmatrix.notify.domain.telling import Telling
from quantmatrix.notify.ports import RetryAfter
from quantmatrix.notify.settings import NotifySettings

TITLE_MAX = 256
DESCRIPTION_MAX = 4096
RETRY_AFTER_MAX_S = 3_600.0
_GONE = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND)
_COLOURS = {Priority.LOW: 0x8A8F98, Priority.NORMAL: 0x3B82F6, Priority.HIGH: 0xF59E0B, Priority.CRITICAL: 0xDC2626}


class DiscordChannel:
    """Posts an embed and waits until Discord has stored it (`wait=true`)."""

    name = "discord"
    immediate = False

    def __init__(self, webhook_url: str, *, timeout_s: float) -> None:
        self._url = webhook_url
        self._gone: Refused | None = None
        self._client = httpx.AsyncClient(timeout=httpx.Timeout(timeout_s), follow_redirects=False)

    async def send(self, telling: Telling) -> None:
        """Raises RetryAfter on 429, TryLater when nothing was sent, Refused on other 4xx, OutcomeUnknown when no answer came.

        A webhook that Discord does not know any more is not asked again: too many such calls block the address.
        """
        if self._gone is not None:
            raise self._gone
        try:
            answer = await self._client.post(self._url, params={"wait": "true"}, json=_body(telling))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise TryLater(f"Discord cannot be reached: {type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise OutcomeUnknown(f"no answer from Discord: {type(error).__name__}") from error
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise RetryAfter(_retry_after(answer))
        if answer.status_code in _GONE:
            self._gone = Refused(
                "DISCORD_WEBHOOK_GONE",
                f"Discord does not know the webhook ({answer.status_code}); it is not used any more: "
                "make a new one, set QM_NOTIFY_DISCORD_WEBHOOK_URL and restart notify",
            )
            raise self._gone
        if answer.is_server_error:
            raise TryLater(f"Discord answers {answer.status_code}")
        if not answer.is_success:
            raise Refused("DISCORD_REFUSED", f"Discord answers {answer.status_code}")


def make(settings: NotifySettings) -> DiscordChannel | None:
    url = settings.discord_webhook_url.get_secret_value()
    return DiscordChannel(url, timeout_s=settings.send_timeout_s) if url else None


def _body(telling: Telling) -> dict[str, object]:
    embed = {
        "title": telling.title[:TITLE_MAX],
        "description": telling.body[:DESCRIPTION_MAX],
        "color": _COLOURS[telling.priority],
        "footer": {"text": f"QuantMatrix · {telling.topic} · {telling.notification_id}"},
    }
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


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
