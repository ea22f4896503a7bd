"""States of the knowledge to compare: a folder, an overlay over our own, or a revision of the checkout."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path, PurePosixPath

from cds_service.knowledge.folders import FOLDERS
from cds_service.knowledge.load import Files, KnowledgeError, build, read_files, root
from cds_service.knowledge.types import Knowledge

# A folder that holds these is knowledge by itself; one with less of it is an overlay.
_WHOLE = ("pathways/knowledge.yaml", "mappings/systems.yaml", "cards/services.yaml")


@dataclass(frozen=True)
class State:
    """One state and where it was read from."""

    files: Files
    where: str

    @property
    def described(self) -> str:
        """Where it is from, with its version and the beginning of its hash."""
        content = self.files.files.get(PurePosixPath("pathways/knowledge.yaml"))
        about = content if isinstance(content, Mapping) else {}
        local = "+local" if self.files.local and "+" not in str(about.get("version", "")) else ""
        return f"{self.where}: knowledge {about.get('version', '?')}{local}, {self.files.sha256[:12]}"


def state_of(name: str) -> State:
    """The state that a folder or a revision stands for. Raises KnowledgeError where it is neither."""
    folder = Path(name)
    if folder.is_dir():
        if all((folder / file).is_file() for file in _WHOLE):
            return State(read_files(base=folder, check=False), str(folder))
        if any((folder / one).is_dir() for one in FOLDERS):
            return State(read_files(folder, check=False), f"{folder}, laid over {root()}")
        folders = ", ".join(f"{one}/" for one in FOLDERS)
        raise KnowledgeError([f"{folder} holds none of {folders}"])
    commit = _commit(name)
    if not commit:
        raise KnowledgeError([f"{name} is neither a folder nor a revision of the checkout {root()}"])
    with tempfile.TemporaryDirectory() as unpacked:
        _unpack(commit, Path(unpacked))
        return State(read_files(base=Path(unpacked), check=False), f"revision {name} ({commit[:9]})")


def in_use(overlay: Path | None) -> State:
    """The knowledge that the service runs on."""
    where = str(root()) if overlay is None else f"{overlay}, laid over {root()}"
    return State(read_files(overlay, check=False), where)


def _git(*arguments: str) -> bytes:
    """What git says of the checkout; nothing where there is no git, no checkout, or no such thing in it."""
    git = shutil.which("git")
    if git is None or not (root() / ".git").exists():
        return b""
    # The revision is one argument and cannot be an option: rev-parse has turned it into a hash before.
    done = subprocess.run([git, "-C", str(root()), *arguments], capture_output=True, check=False)  # noqa: S603
    return done.stdout if done.returncode == 0 else b""


def _commit(revision: str) -> str:
    return (
        _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        .decode()
        .strip()
    )


def _unpack(commit: str, folder: Path) -> None:
    """The knowledge files of a commit, and nothing else, into the folder."""
    with tarfile.open(fileobj=BytesIO(_git("archive", commit, *FOLDERS))) as archive:
        for member in archive:
            inside = PurePosixPath(member.name)
            content = archive.extractfile(member) if member.isfile() else None
            if (
                content is None
                or inside.suffix != ".yaml"
                or inside.parts[0] not in FOLDERS
                or ".." in inside.parts
            ):
                continue
            (folder / inside).parent.mkdir(parents=True, exist_ok=True)
            (folder / inside).write_bytes(content.read())


def speaker(first: Files, second: Files, ours: Knowledge) -> Knowledge:
    """Whose names to use for both: those of the first that can be understood, with our own sentences."""
    for files in (first, second):
        try:
            return replace(build(files), definitions=ours.definitions)
        except (KnowledgeError, LookupError, TypeError, ValueError, AttributeError):
            continue  # made for another version: its entries compare all the same
    return ours
