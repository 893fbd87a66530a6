"""What OpenAI's speech server costs. Pure.

From OpenAI's pages of its models, https://developers.openai.com/api/docs/models/tts-1, …/tts-1-hd and
…/gpt-4o-mini-tts, as they were in autumn 2026. The last model costs by the token, of text and of sound, which cannot be
counted before; OpenAI's own estimate for it is a price for each minute of sound.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars, for a million characters of text and for a minute of sound."""

    million_characters: float = 0.0
    minute: float = 0.0


PRICES = {
    "tts-1": Price(million_characters=15.0),
    "tts-1-hd": Price(million_characters=30.0),
    "gpt-4o-mini-tts": Price(minute=0.015),
}
NAMED = "openai"  # the engine that these are the prices of


def cost_line(engine: str, model: str, characters: int, seconds: float) -> str | None:
    """What it costs to have so many characters spoken, which will be about so long, in a sentence; None for an engine
    that costs nothing, as far as is known."""
    if engine != NAMED:
        return None
    price = PRICES.get(model)
    if price is None:
        return f"OpenAI charges for {characters:,} characters; the price of {model} is not known here."
    minutes = seconds / 60
    if price.minute:
        dollars, unit = minutes * price.minute, f"{minutes:,.0f} minutes at ${price.minute:g}"
    else:
        dollars, unit = characters * price.million_characters / 1e6, f"${price.million_characters:g} a million"
    return f"OpenAI charges about ${dollars:,.2f} for {characters:,} characters ({model}, {unit})."
