"""Where takes, places and settings are kept, and where the samples lie."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Where takes and places are kept: `NARRATE_HOME`, or the folder the system has for a program's data."""
    import platformdirs

    named = os.environ.get("NARRATE_HOME")
    return Path(named).expanduser() if named else platformdirs.user_data_path("narrate")


def samples() -> Path:
    """The folder of the short stories that come with narrate: in the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "samples"
    return installed if installed.is_dir() else package.parent / "samples"
