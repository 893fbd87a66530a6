"""The judge of takes that the books of a run share: opened once, when the first book wants it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from narrate.checking.course import Courses
from narrate.checking.examiner import Examiner
from narrate.checking.recogniser import Recogniser, missing, open_recogniser


@dataclass(slots=True)
class SharedExaminer:
    """Use `open` for every book, and `close` after the last."""

    _recogniser: Recogniser | None = None

    def open(self, spec: str | None, language: str, note: Callable[[str], object]) -> Examiner:
        """What judges the takes of a book, with the recogniser that `spec` names; None is the usual one.

        If the usual one is not installed, `note` is told so and takes are measured only. Raises `InputError` for one
        that is named and not installed.
        """
        why = missing(spec, language) if spec is None else None
        if why is not None:
            note(why)
            return Examiner(measure=Courses().follow)
        if self._recogniser is None:
            self._recogniser = open_recogniser(spec, language)
        return Examiner(self._recogniser, Courses().follow, say=logging.getLogger(__name__).warning)

    def close(self) -> None:
        if self._recogniser is not None:
            self._recogniser.close()
        self._recogniser = None
