"""Speech servers as an engine: every dialect, and every fault that such servers are known for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from narrate.clip import Clip, from_int16, to_int16
from narrate.clock import OFF
from narrate.engines import Engine
from narrate.engines.table import load_engine
from narrate.errors import EngineError, InputError
from narrate.voice import Voice
from tests.speech import a_chunk, a_request, clips_of, requests, whole
from tests.speech_server import RATE, Answer, StandIn, events, mp3, pcm, serving, sound_of, wav

pytest.importorskip("httpx", reason="the package httpx is not installed")
