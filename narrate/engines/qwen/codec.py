"""The codec of Qwen3-TTS: 12.5 frames a second, 16 codes to a frame."""

from __future__ import annotations

CODES = 16
FRAMES_PER_SECOND = 12.5
SAMPLE_RATE = 24_000
SAMPLES_PER_FRAME = 1920
