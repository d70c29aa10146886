"""Settings: every address, credential and limit is a typed field, read from the environment or from a file it names."""

import os
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "QM_"


class SettingsError(ValueError):
    """The environment is wrong; the sentence says which variable and what was expected."""


class _Environment(PydanticBaseSettingsSource):
    """QM_<SERVICE>_<NAME>, then QM_<NAME>; either may be spelled …_FILE and then names a file with the value."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        for variable in variables_of(self.settings_cls, field_name):
            if f"{variable}_FILE" in os.environ:
                return _read_file(f"{variable}_FILE"), field_name, False
            if variable in os.environ:
                return os.environ[variable], field_name, False
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {}
        for name, field in self.settings_cls.model_fields.items():
            value, _, _ = self.get_field_value(field, name)
            if value is not None:
                found[name] = _split(value, field)
        return found


def _read_file(variable: str) -> str:
    path = Path(os.environ[variable])
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise SettingsError(f"{variable} names {path}, which cannot be read: {error.strerror}") from error


def _split(value: str, field: FieldInfo) -> Any:
    """Lists are written with commas."""
    if str(field.annotation).startswith("tuple"):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def variables_of(settings: type[BaseSettings], field_name: str) -> tuple[str, ...]:
    """The environment variables a field is read from, the most particular first."""
    service = getattr(settings, "SERVICE", "")
    return (f"{PREFIX}{service}_{field_name}".upper(), f"{PREFIX}{field_name}".upper())


class ServiceSettings(BaseSettings):
    """What every service needs to be told."""

    SERVICE: ClassVar[str] = ""
    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    nats_url: str = Field("nats://127.0.0.1:4222", description="Address of the NATS server.")
    nats_password: SecretStr = Field(SecretStr(""), description="Password of this service's NATS user.")
    database_url: SecretStr = Field(
        SecretStr("postgresql://127.0.0.1:5432/quantmatrix"),
        description="Address of PostgreSQL, with this service's own role and password.",
    )
    database_pool_size: int = Field(
        2, ge=1, le=50, description="Connections for questions, at most; the desk and the relay have one each besides."
    )
    health_host: str = Field("127.0.0.1", description="Address on which /healthz, /readyz and /metrics answer.")
    health_port: int = Field(0, ge=0, le=65_535, description="Port of /healthz, /readyz and /metrics; 0 switches them off.")
    catch_up_every_s: float = Field(60.0, gt=0, le=3_600, description="Seconds between comparisons with the owners of what is heard.")
    answer_deadline_s: float = Field(
        2.0, gt=0, le=600, description="Seconds that another service's answer may take, where nothing else is said."
    )
    start_timeout_s: float = Field(60.0, gt=0, le=600, description="Seconds to wait for NATS and PostgreSQL at start.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="The least important records to write.")
    log_file: Path | None = Field(None, description="File for the log (rotated at 20 MiB, 3 kept); standard output when unset.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Environment(settings_cls)

    @classmethod
    def read(cls) -> Self:
        """Read the environment. Raises SettingsError with one sentence per wrong variable."""
        try:
            return cls()  # type: ignore[call-arg]  # every field has a default or comes from the environment
        except ValidationError as error:
            wrong = [
                f"{_given(cls, str(item['loc'][0]))}: {_sentence(item['msg'])}, got {_shown(item.get('input'))}" for item in error.errors()
            ]
            raise SettingsError("; ".join(wrong)) from error


def _given(settings: type[BaseSettings], field_name: str) -> str:
    """The variable that a field was read from."""
    names = variables_of(settings, field_name)
    return next((name for name in names if name in os.environ or f"{name}_FILE" in os.environ), names[0])


def _sentence(message: str) -> str:
    """The library's message as the end of ours; the values it names keep their spelling."""
    return message[:1].lower() + message[1:]


def _shown(value: object) -> str:
    return "a secret" if isinstance(value, SecretStr) else repr(value)[:80]
