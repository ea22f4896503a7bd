"""Log lines: structured, one per hook call, never with patient data or tokens."""

from __future__ import annotations

import logging
import logging.config
import re
import sys
from typing import Any

import structlog

from cds_service.settings import Settings

_NEVER = ("patient", "token", "authorization", "body", "prefetch", "context")


def drop_patient_data(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Drops members whose name says that they may hold patient data or a token: a net below good manners."""
    for name in [name for name in event if any(word in name.lower() for word in _NEVER)]:
        del event[name]
    return event


def _shared() -> list[structlog.typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        drop_patient_data,
    ]


class GunicornSaysLess(logging.Filter):
    """gunicorn quotes what a caller sent (addresses, headers, chunk sizes): keeps its words, not theirs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: the record is kept, without what may tell of a patient."""
        broken = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if record.levelno >= logging.WARNING:
            if record.args:
                # A template of gunicorn's own: numbers (process ids, exit codes) are told, texts are not.
                said = re.sub(r"%[sdr]", "{}", str(record.msg))
                given = record.args if isinstance(record.args, tuple) else ()
                record.msg = said.format(*(str(one) if isinstance(one, int) else "…" for one in given))
            elif isinstance(record.msg, str):
                record.msg = record.msg.partition(":")[0]  # text already put together
            else:
                record.msg = type(record.msg).__name__  # an exception in place of a text
            record.args = ()
        if broken is not None:
            record.msg = f"{record.msg} ({where_it_broke(broken)})"
        record.exc_info = record.exc_text = record.stack_info = None
        return True


def logging_config(settings: Settings) -> dict[str, Any]:
    """Configuration for :func:`logging.config.dictConfig`, so that gunicorn's own lines look like ours.

    Loggers of other libraries are not heard at all.
    """
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if settings.json_logs
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
                "foreign_pre_chain": _shared(),
            }
        },
        "filters": {"less": {"()": GunicornSaysLess}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "structured"},
            "gunicorn": {"class": "logging.StreamHandler", "formatter": "structured", "filters": ["less"]},
            "nowhere": {"class": "logging.NullHandler"},
        },
        # Only those named here are heard: what a library logs may quote an address, a header or a body.
        "root": {"handlers": ["nowhere"], "level": "INFO"},
        "loggers": {
            "cds_service": {"handlers": ["stderr"], "level": "INFO", "propagate": True},
            "gunicorn.error": {"handlers": ["gunicorn"], "level": "INFO", "propagate": False},
            "gunicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
        },
    }


def set_up_logging(settings: Settings) -> None:
    """Sends our lines through the standard library, in the format the settings name."""
    logging.config.dictConfig(logging_config(settings))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def where_it_broke(problem: BaseException) -> str:
    """Kind and place of an error, without its text: the text may quote a chart."""
    frames = []
    trace = problem.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return f"{type(problem).__name__} at {' < '.join(reversed(frames[-8:]))}"
