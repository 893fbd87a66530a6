"""Where takes, places and settings are kept."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Where takes and places are kept: `NARRATE_HOME`, or the folder the system has for a program's data."""
    import platformdirs

    named = os.environ.get("NARRATE_HOME")
    return Path(named).expanduser() if named else platformdirs.user_data_path("narrate")
