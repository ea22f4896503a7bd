"""Shipped knowledge with something changed in it: in memory, or as the overlay folder of a hospital."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from cds_service.knowledge.load import Files, read_files, read_yaml, root


@cache
def shipped() -> Files:
    """The knowledge files as they are shipped."""
    return read_files()


def changed(file: str, change: Callable[[Any], None]) -> Files:
    """The shipped files, of which one is as ``change`` leaves it."""
    content = copy.deepcopy(shipped().files[PurePosixPath(file)])
    change(content)
    return Files(shipped().files | {PurePosixPath(file): content}, "")


def overlaid(folder: Path, file: str, change: Callable[[Any], None]) -> Path:
    """The folder, which then holds the shipped ``file`` as ``change`` leaves it."""
    content = copy.deepcopy(read_yaml((root() / file).read_text(encoding="utf-8")))
    change(content)
    return written(folder, file, yaml.safe_dump(content, allow_unicode=True, sort_keys=False))


def written(folder: Path, file: str, text: str) -> Path:
    """The folder, which then holds ``file`` with this text."""
    target = folder / file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return folder


def entry(entries: list[dict[str, Any]], **named: str) -> dict[str, Any]:
    """The first entry of a list whose members are these."""
    return next(one for one in entries if all(one.get(key) == value for key, value in named.items()))
