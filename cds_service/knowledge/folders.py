"""Which files of a folder are knowledge: which count, which cannot be read, which do nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

FOLDERS = ("mappings", "pathways", "cards")
LARGEST = 5 * 1024 * 1024
"""Bytes; our largest file has a fiftieth of it."""

_SUFFIX = ".yaml"


class Unreadable(Exception):
    """A file or folder that cannot be read; the text says why, and what to do."""


def knowledge_files(folder: Path) -> tuple[dict[PurePosixPath, Path], list[str]]:
    """Every .yaml file of mappings/, pathways/ and cards/ below ``folder``, and what is wrong with folders.

    Links are followed. Names that begin with a dot are left alone: editors and mounted volumes have some.
    """
    files: dict[PurePosixPath, Path] = {}
    findings: list[str] = []
    for name in FOLDERS:
        top = folder / name
        if not top.is_dir():
            if os.path.lexists(top):
                findings.append(f"{name}: is no folder. Put a folder of this name in its place, or nothing")
            continue
        for path, problem in _below(top):
            relative = PurePosixPath(path.relative_to(folder).as_posix())
            if problem:
                findings.append(f"{relative}: {problem}")
            elif path.suffix == _SUFFIX:
                files[relative] = path
    return files, findings


def without_effect(folder: Path) -> Iterator[PurePosixPath]:
    """The files below ``folder`` that are not read, for their place or name; of hidden ones the .yaml."""
    for path, problem in _below(folder, hidden=True):
        relative = PurePosixPath(path.relative_to(folder).as_posix())
        hidden = any(part.startswith(".") for part in relative.parts)
        read = relative.parts[0] in FOLDERS and relative.suffix == _SUFFIX
        if not problem and (relative.suffix == _SUFFIX if hidden else not read):
            yield relative


def content_of(path: Path) -> bytes:
    """What the file holds. Raises Unreadable where it is no file, too large, or cannot be opened."""
    try:
        about = path.stat()  # of what a link leads to
        if stat.S_ISDIR(about.st_mode):
            raise Unreadable("is a folder. Give it another name: what ends in .yaml is a file")
        if not stat.S_ISREG(about.st_mode):
            raise Unreadable("is no file. Put a file in its place, or take it away")
        if about.st_size > LARGEST:
            megabytes = f"{about.st_size / 2**20:.1f} megabytes; at most {LARGEST // 2**20} are read"
            raise Unreadable(f"has {megabytes}. Leave out what is no knowledge")
        return path.read_bytes()
    except OSError as problem:
        why = problem.strerror or type(problem).__name__
        raise Unreadable(f"cannot be read ({why}). Let it lead to a file that can, or take it away") from None


def _below(top: Path, *, hidden: bool = False) -> Iterator[tuple[Path, str]]:
    """Everything below a folder that is no folder itself, and folders of which something is wrong: what."""
    problems: list[tuple[Path, str]] = []

    def cannot(problem: OSError) -> None:
        why = problem.strerror or type(problem).__name__
        problems.append((Path(problem.filename), f"cannot be read ({why}). Let the service read this folder"))

    for here, folders, names in os.walk(top, followlinks=True, onerror=cannot):
        own = Path(os.path.realpath(here))
        for name in sorted(folders):
            path = Path(here, name)
            if name.startswith("."):
                folders.remove(name)
            elif path.is_symlink() and own.is_relative_to(os.path.realpath(path)):
                folders.remove(name)
                yield path, "leads back to a folder above it. Take the link away"
            elif path.suffix == _SUFFIX:
                folders.remove(name)
                yield path, ""
        folders.sort()
        for name in sorted(names):
            if hidden or not name.startswith("."):
                yield Path(here, name), ""
    yield from problems
