"""What every benchmark writes beside its figures: programs, processors, and how busy the machine was."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from chromagan.compute.versions import versions
from chromagan.files.atomic import write_json, write_text


def machine() -> dict[str, Any]:
    """Programs, processors, and the work of others in the last minute, where the system tells: call it before timing.

    Timings under load say little.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {"versions": versions(), "processors": os.cpu_count(), "load_before": load}


def write_record(path: Path | None, content: dict[str, Any], table: str = "") -> None:
    """Write the figures as JSON, and a table, if any, beside them as `.md`; nothing without a path.

    Raises:
        WriteError: a file cannot be written.
    """
    if path is None:
        return
    write_json(path, content)
    if table:
        write_text(path.with_suffix(".md"), table + "\n")
