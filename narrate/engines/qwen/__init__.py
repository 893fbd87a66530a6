"""Qwen3-TTS: the voice narrate exists for."""
