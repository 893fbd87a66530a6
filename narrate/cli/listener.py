"""What the system knows of the listener."""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping

from narrate.text.language import LANGUAGES

VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""They name the listener's language, the first that is set (gettext's order)."""


def own_language(environment: Mapping[str, str] = os.environ) -> str:
    """The listener's own language, if narrate speaks it, else English."""
    set_here = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    named = set_here.partition(":")[0] or locale.getlocale()[0] or ""
    for code, name in LANGUAGES.items():
        if named.partition("_")[0].partition(".")[0] in (code, name):  # Windows writes Japanese_Japan
            return code
    return "en"
