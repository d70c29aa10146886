"""Structured logs: one JSON object a line, to standard output or to a file that rotates."""

import logging
import logging.handlers
import re
import sys
from pathlib import Path
from typing import Any

import structlog

FILE_BYTES_MAX = 20 << 20
FILES_KEPT = 3
_SECRET = re.compile(r"(?i)(password|secret|token|credential|authorization|cookie|api_key|webhook)")
_USERINFO = re.compile(r"(?<=://)([^:/@\s]+):([^@\s]+)(?=@)")
REDACTED = "«redacted»"


def redact(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """Blank what is named like a secret, and passwords inside addresses, however deep they lie."""
    for name, value in event.items():
        event[name] = _blanked(name, value)
    return event


def _blanked(name: object, value: object) -> object:
    if isinstance(name, str) and _SECRET.search(name):
        return REDACTED
    if isinstance(value, str):
        return _USERINFO.sub(rf"\1:{REDACTED}", value) if "://" in value else value
    if isinstance(value, dict):
        return {inner: _blanked(inner, item) for inner, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_blanked(None, item) for item in value]
    return value


def configure_logs(*, service: str, level: str, file: Path | None) -> None:
    """Send everything, the libraries' records too, through one chain."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    handler: logging.Handler
    if file is None:
        handler = logging.StreamHandler(sys.stdout)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(file, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8")
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(default=str),
        ],
    )
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("nats", "faststream", "uvicorn", "uvicorn.access", "asyncio", "httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
