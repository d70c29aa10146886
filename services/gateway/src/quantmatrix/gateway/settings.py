"""What the gateway can be told."""

from typing import ClassVar

from pydantic import Field, SecretStr

from quantmatrix.common.runtime.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    """Settings of the gateway, read from QM_GATEWAY_*."""

    SERVICE: ClassVar[str] = "gateway"

    host: str = Field("127.0.0.1", description="Address on which the console and the API answer.")
    port: int = Field(8321, ge=1, le=65_535, description="Port of the console and the API.")
    admin_name: str = Field("admin", pattern=r"^[a-z0-9._@-]{1,80}$", description="Name of the administrator made on the first start.")
    admin_password: SecretStr = Field(
        SecretStr(""), description="Password of the administrator made on the first start; not read once there is a user."
    )
    cookie_secure: bool = Field(True, description="Whether cookies travel over HTTPS only; false for plain HTTP on this machine.")
    session_hours: int = Field(12, ge=1, le=720, description="Hours after which a login ends.")
    login_failures_max: int = Field(5, ge=1, le=100, description="Wrong passwords for one account or from one address before a pause.")
    login_pause_minutes: int = Field(15, ge=1, le=1_440, description="Minutes in which wrong passwords are counted.")
    password_memory_mib: int = Field(
        64,
        ge=19,
        le=1_024,
        description="Memory in MiB that one try of a password takes (Argon2id); less is cheaper, also for whoever guesses. What was set before keeps its own.",
    )
    proxies: str = Field(
        "",
        pattern=r"^[0-9A-Fa-f.:/, ]*$",
        description="Addresses or networks of proxies before the console, with commas: the address that they tell in X-Forwarded-For counts as the visitor's.",
    )
    order_usd_min: int = Field(10, ge=1, le=10_000, description="Smallest order in US dollars that a person may place.")
    idempotency_hours: int = Field(
        168,
        ge=1,
        le=8_760,
        description="Hours for which the first answer to an Idempotency-Key is kept and given again; after them the key is a new one.",
    )
    feed_rows_kept: int = Field(20_000, ge=1_000, le=10_000_000, description="Events kept for pages that come back.")
    streams_per_user_max: int = Field(24, ge=1, le=1_000, description="Open event streams of one user.")
    stream_session_look_s: float = Field(
        10.0, gt=0, le=3_600, description="Seconds after which an open event stream looks whether its login still holds."
    )
    database_pool_size: int = Field(
        4, ge=1, le=50, description="Connections for reading, at most; the desk and the relay have one each besides."
    )
