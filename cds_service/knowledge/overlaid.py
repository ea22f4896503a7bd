"""What a hospital's overlay does, file by file, and what it gives up; told at a check and at start."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from cds_service.knowledge.folders import FOLDERS, knowledge_files, without_effect
from cds_service.knowledge.load import Files, build
from cds_service.knowledge.overlay import PATCH, is_patch
from cds_service.knowledge.safeguards import given_up
from cds_service.knowledge.types import Knowledge

_MOST_WITHOUT_EFFECT = 20


def deeds(overlay: Path, files: Files) -> list[str]:
    """What each file of the overlay does, as far as it is read."""
    read, _ = knowledge_files(overlay)
    return [f"{overlay.name}/{path}: {_deed(path, files)}" for path in sorted(read)]


def idle_files(overlay: Path) -> list[str]:
    """The files of the overlay that do nothing, for their name or place."""
    idle = sorted(without_effect(overlay))
    said = (
        f"has no effect; only .yaml files in {', '.join(FOLDERS)} are read, and none that begins with a dot"
    )
    notes = [f"{overlay.name}/{path}: {said}" for path in idle[:_MOST_WITHOUT_EFFECT]]
    if len(idle) > _MOST_WITHOUT_EFFECT:
        notes.append(f"{overlay.name}: {len(idle) - _MOST_WITHOUT_EFFECT} more files have no effect")
    return notes


def losses(overlay: Path, files: Files, known: Knowledge) -> list[str]:
    """What the overlay gives up of our hard stops, contraindications, cautions, doses, advice and rules."""
    ours = build(files.without_overlay())
    return [f"{overlay.name} gives up a safeguard: {what}" for what in given_up(ours, known)]


def _deed(path: PurePosixPath, files: Files) -> str:
    if is_patch(path):
        return f"changes entries of {path.name.removesuffix(PATCH)}.yaml"
    return (
        "is new and replaces nothing" if files.before.get(path) is None else "replaces the file of this name"
    )
