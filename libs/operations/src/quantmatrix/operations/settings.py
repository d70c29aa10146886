"""What the qm program can be told besides its options."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr

from quantmatrix.common.runtime.settings import ServiceSettings


class OperationsSettings(ServiceSettings):
    """Settings of the qm program, read from QM_OPERATIONS_* or QM_*."""

    SERVICE: ClassVar[str] = "operations"

    home: Path = Field(Path(".qm"), description="The data folder of the embedded installation.")
    gateway_port: int = Field(8321, ge=1, le=65_535, description="Port of the console when qm starts everything.")
    bus_durable: bool = Field(False, description="Let the embedded bus fsync every message; the outboxes make it unnecessary.")
    nats_provision_password: SecretStr = Field(SecretStr(""), description="Outside servers: password of the NATS user that makes streams.")
    nats_operator_password: SecretStr = Field(
        SecretStr(""), description="Outside servers: password of the NATS user that asks questions; with it, qm looks at QM_NATS_URL."
    )
    nats_worker_password: SecretStr = Field(
        SecretStr(""), description="Password of the NATS user of workers; with it, qm worker takes its jobs from QM_NATS_URL."
    )
    database_superuser_url: SecretStr = Field(
        SecretStr(""), description="Outside servers: address of the database with a role that may create roles and schemas."
    )
    execution_paper_database_url: SecretStr = Field(
        SecretStr(""), description="Outside servers: address of the paper venue's storage, as execution reads it."
    )


def address_of(service: str) -> str:
    """The address of a service's schema, spelled as the service itself reads it: QM_<SERVICE>_DATABASE_URL."""

    class _Settings(ServiceSettings):
        SERVICE: ClassVar[str] = service

    return _Settings.read().database_url.get_secret_value()
