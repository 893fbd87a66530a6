"""How the codes of a voice are drawn: the sampling options a listener may set."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from narrate.errors import InputError


@dataclass(frozen=True, slots=True)
class Sampling:
    """None leaves an option to the checkpoint (as released: 0.9, 50, 1.0, 1.05).

    `temperature` 0 always takes the likeliest code: the same take every time, and often an endless one. `top_k` 0 and
    `top_p` 1 switch that limit off. `repetition_penalty` concerns the first of a frame's 16 codes, the others all 16.
    Raises `InputError` for a value that makes no sense.
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None

    def __post_init__(self) -> None:
        if self.temperature is not None and not 0 <= self.temperature <= 5:
            raise InputError(f"--temperature {self.temperature:g} is out of range; use 0 to 5 (usual: 0.9).")
        if self.top_k is not None and self.top_k < 0:
            raise InputError(f"--top-k {self.top_k} is out of range; use 1 or more, or 0 for no limit (usual: 50).")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InputError(f"--top-p {self.top_p:g} is out of range; use more than 0 and at most 1 (usual: 1).")
        if self.repetition_penalty is not None and not 0 < self.repetition_penalty <= 10:
            raise InputError(
                f"--repetition-penalty {self.repetition_penalty:g} is out of range; use 1 to 10 (usual: 1.05)."
            )

    @property
    def greedy(self) -> bool:
        return self.temperature == 0

    def for_package(self) -> dict[str, Any]:
        """The given options in the words of the package's `generate`; the ones left to the checkpoint are absent."""
        given: dict[str, Any] = {name: value for name, value in asdict(self).items() if value is not None}
        if self.greedy:
            given.pop("temperature")
            given.update(do_sample=False, subtalker_dosample=False)
        for name in ("temperature", "top_k", "top_p"):
            if name in given:
                given[f"subtalker_{name}"] = given[name]
        return given

    def fingerprint(self) -> dict[str, str]:
        return {name: "default" if value is None else f"{value:g}" for name, value in asdict(self).items()}
