"""What identifies a run: its recipe, its dataset, its initial weights and its parts."""

import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..command import UserError
from ..command.run import machine
from ..models.record import Record

PACKAGES = ("wideband", "keras", "tensorflow", "numpy")


def new_record(recipe: Mapping[str, Any], **fields: Any) -> Record:
    """Returns the record of a run that starts now, on this machine.

    Args:
        recipe: as JSON.
        **fields: further fields of `Record`.
    """
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return Record(
        dict(recipe),
        versions={"python": platform.python_version(), **versions},
        commit=_commit(),
        machine=machine(),
        **fields,
    )


def check_same(folder: Path, found: Record, expected: Record) -> None:
    """Raises a UserError if the record in a folder is that of another run."""
    for section in ("recipe", "dataset", "initial_weights", "parts"):
        has, needs = (_comparable(getattr(record, section)) for record in (found, expected))
        for key in sorted(has.keys() | needs):
            # It was measured, unless the recipe has it.
            if (section, key) == ("recipe", "arguments.scale") and key not in needs:
                continue
            if has.get(key) != needs.get(key):
                raise UserError(
                    f"{folder} holds a run whose {section} has {key}={has.get(key)}, not "
                    f"{needs.get(key)}; choose another --run, or delete that folder"
                )


def _comparable(section: dict[str, Any]) -> dict[str, Any]:
    """Returns a section with dotted keys, without arguments that repeat a field of the recipe.

    run.json has such arguments, since the network was built; a new recipe does not have them yet.
    """
    flat = {}
    for key, value in json.loads(json.dumps(section)).items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    for key in ("ratio", "patch"):
        if flat.get(f"arguments.{key}") == flat.get(key):
            flat.pop(f"arguments.{key}", None)
    return flat


def _commit() -> str | None:
    """Returns the commit of the source tree, if there is one."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
