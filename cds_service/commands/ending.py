"""How a command ends that could not do what it was asked: sentences, and an exit status.

0 done, 1 findings or a file that could not be assessed, 2 misuse (a bad setting, too).
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

import click

from cds_service.errors import SettingError
from cds_service.knowledge.load import KnowledgeError

FINDINGS, MISUSE = 1, 2

_Command = Callable[..., None]


def stop(sentences: tuple[str, ...], status: int) -> NoReturn:
    """Say the sentences on standard error and end with the status."""
    for sentence in sentences:
        click.echo(sentence, err=True)
    sys.exit(status)


def plainly(command: _Command) -> _Command:
    """What an operator can mend is told in sentences, not in a stack trace."""

    @wraps(command)
    def told(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except SettingError as problem:
            stop(problem.sentences, MISUSE)
        except KnowledgeError as problem:
            stop(problem.findings, FINDINGS)
        except OSError as problem:
            if problem.errno == errno.EPIPE:  # whoever reads the output has seen enough
                raise
            place = f"{problem.filename}: " if problem.filename else ""
            stop((f"{place}{problem.strerror or type(problem).__name__}.",), MISUSE)

    return told
