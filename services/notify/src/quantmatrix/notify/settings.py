"""What notify can be told."""

from typing import ClassVar

from pydantic import Field, SecretStr

from quantmatrix.common.runtime.settings import ServiceSettings


class NotifySettings(ServiceSettings):
    """Settings of the notify service, read from QM_NOTIFY_*."""

    SERVICE: ClassVar[str] = "notify"

    discord_webhook_url: SecretStr = Field(
        SecretStr(""), description="A Discord webhook for the administrator's notifications; empty for none."
    )
    send_timeout_s: float = Field(10.0, gt=0, le=120, description="Seconds to wait for a channel's answer.")
    tries_max: int = Field(8, ge=1, le=100, description="Tries of a delivery before it is given up.")
    retry_first_s: float = Field(
        2.0, gt=0, le=600, description="Seconds before the second try; doubled at each further one, up to ten minutes."
    )
