"""What notify can be told."""

from typing import ClassVar

from pydantic import Field, SecretStr

from quantmatrix.common.runtime.settings import ServiceSettings


class NotifySettings(ServiceSettings):
    """Settings of the notify service, read from QM_NOTIFY_*."""

    SERVICE: ClassVar[str] = "notify"

    discord_webhook_url: SecretStr = Field(
        SecretStr(""),
        description="A Discord webhook for all rooms of the administrator's notifications that have none of their own; empty for none.",
    )
    discord_webhook_signals: SecretStr = Field(SecretStr(""), description="The webhook of entries, scale-outs and profits taken.")
    discord_webhook_alerts: SecretStr = Field(SecretStr(""), description="The webhook of exits, stops, risk warnings, refusals and halts.")
    discord_webhook_portfolio_digest: SecretStr = Field(
        SecretStr(""), description="The webhook of executions, cycles and end-of-day summaries."
    )
    discord_webhook_morning_brew: SecretStr = Field(SecretStr(""), description="The webhook of the morning's letter.")
    discord_webhook_system_status: SecretStr = Field(
        SecretStr(""), description="The webhook of runs, differences between books and messages put aside."
    )
    discord_webhook_playground: SecretStr = Field(SecretStr(""), description="The webhook of test messages.")
    send_timeout_s: float = Field(10.0, gt=0, le=120, description="Seconds to wait for a channel's answer.")
    send_look_s: float = Field(2.0, gt=0, le=60, description="Seconds between two looks for deliveries whose next try is due.")
    tries_max: int = Field(8, ge=1, le=100, description="Tries of a delivery before it is given up.")
    retry_first_s: float = Field(
        2.0, gt=0, le=600, description="Seconds before the second try; doubled at each further one, up to ten minutes."
    )
    morning_after_min: float = Field(
        210.0, ge=0, le=330, description="Minutes after 04:00 New York time, when PREP begins, at which the morning's letter is written."
    )
    summary_after_min: float = Field(
        30.0, ge=0, le=480, description="Minutes after the close, an early one too, at which the summary of the day is written."
    )
    throttle_cooldown_s: float = Field(
        30.0,
        ge=0,
        le=3_600,
        description="Seconds between two deliveries of one topic and priority over a channel; later ones wait, critical ones never do.",
    )
    throttle_per_minute_max: int = Field(
        20, ge=1, le=1_000, description="Deliveries of one topic and priority over a channel in any minute."
    )
