"""A book to read and to hear, read back: whether every overlay leads to a text and to a stretch of sound."""

from __future__ import annotations

import math
import posixpath
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from narrate.clock import hms
from narrate.errors import InputError
from narrate.sinks.inspection import ChapterMark, Heard, Inspection, listen, sound_faults, tag_faults
from narrate.sinks.read_along.elements import Element, XmlFile, read_xml
from narrate.text.formats.archive import resolve

SMIL = "application/smil+xml"
CLOCK = re.compile(r"(?:(?:(\d+):)?([0-5]?\d):)?(\d+(?:\.\d+)?)(h|min|s|ms)?")
METRIC = {"h": 3600.0, "min": 60.0, "s": 1.0, "ms": 0.001, None: 1.0}
EDGE_SECONDS = 0.05  # a clip may end so much after its sound: encoders fill up frames
SUM_SECONDS = 0.1  # stated and added lengths may differ so much
UNHEARD_SECONDS = 1.0  # so much of a sound may be in no overlay
MOST_ALIKE = 3  # faults of one kind that are told in full


class Par(NamedTuple):
    """A text and its sound: paths in the archive, and seconds. `end` is None if it lasts to the end of the sound."""

    page: str
    fragment: str
    sound: str
    begin: float
    end: float | None


@dataclass(slots=True)
class _Found:
    """What the files of a book say. `pars` are those of each overlay, `stated` their lengths as the package has it."""

    package: XmlFile
    path: str
    names: frozenset[str]
    pars: dict[str, list[Par]] = field(default_factory=dict)
    stated: dict[str, float] = field(default_factory=dict)
    total: float | None = None
    sounds: dict[str, Heard] = field(default_factory=dict)
    codings: set[tuple[str, int]] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


def inspect(path: Path) -> Inspection:
    """Read the whole book, decode its sound and judge it. Raises `InputError` for what is no EPUB or is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = _read(archive)
            identities: dict[str, set[str]] = {}
            for page in dict.fromkeys(par.page for pars in found.pars.values() for par in pars):
                if page in found.names:
                    identities[page] = {name for element in _xml(archive, page).elements if (name := element.get("id"))}
            for sound in dict.fromkeys(par.sound for pars in found.pars.values() for par in pars):
                if sound in found.names:
                    found.sounds[sound] = _listen(archive.read(sound), sound, found)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file.") from None
    except (zipfile.BadZipFile, OSError, KeyError) as error:
        raise InputError(f"{path} cannot be read as an EPUB ({error}).") from None
    except InputError as error:
        raise InputError(f"{path}: {error}.") from None
    return _judged(path, found, identities)


def _judged(path: Path, found: _Found, identities: dict[str, set[str]]) -> Inspection:
    said = _said(found)
    heard = _together(list(found.sounds.values()))
    pictures = [item for item in found.package.named("item") if "cover-image" in item.get("properties").split()]
    cover = pictures[0].get("href") if pictures else ""
    marks, at = [], 0.0
    for name, pars in found.pars.items():
        length = sum(_length(par, found) for par in pars)
        marks.append(ChapterMark(pars[0].page if pars else name, at, at + length))
        at += length
    faults = [
        *found.faults,
        *([] if found.pars else ["It has no overlays: nothing in it says what sounds where."]),
        *_few(par_faults([par for pars in found.pars.values() for par in pars], found, identities)),
        *duration_faults(found),
        *tag_faults(said, cover),
        *(sound_faults(heard) if found.sounds else []),
    ]
    codec, rate = min(found.codings, default=("no sound", 0))
    return Inspection(
        container="epub",
        codec=codec,
        sample_rate=rate,
        seconds=heard.seconds,
        bytes=path.stat().st_size,
        tags=said,
        cover=cover,
        chapters=tuple(marks),
        lufs=heard.lufs,
        peak_db=heard.peak_db,
        silences=heard.silences,
        faults=tuple(faults),
    )


def _read(archive: zipfile.ZipFile) -> _Found:
    names = frozenset(archive.namelist())
    roots = _xml(archive, "META-INF/container.xml").named("rootfile") if "META-INF/container.xml" in names else []
    path = roots[0].get("full-path") if roots else ""
    if path not in names:
        raise InputError("is no EPUB, or a damaged one: it does not say which pages it has")
    found = _Found(_xml(archive, path), path, names)
    metas = [meta for meta in found.package.named("meta") if meta.get("property") == "media:duration"]
    for item in found.package.named("item"):
        target = resolve(path, item.get("href"))[0]
        if target not in names and "://" not in item.get("href"):
            found.faults.append(f"{item.get('href')} is missing in it.")
        elif item.get("media-type") == SMIL:
            found.pars[target] = list(_pars(_xml(archive, target), target))
            for meta in metas:
                if meta.get("refines") == f"#{item.get('id')}":
                    found.stated[target] = clock_value(found.package.content(meta)) or 0.0
    for meta in metas:
        if not meta.get("refines"):
            found.total = clock_value(found.package.content(meta))
    return found


def _xml(archive: zipfile.ZipFile, name: str) -> XmlFile:
    try:
        return read_xml(archive.read(name))
    except InputError as error:
        raise InputError(f"its file {name} {error}") from None


def _pars(overlay: XmlFile, path: str) -> Iterator[Par]:
    inside: dict[int, list[Element]] = {}
    for element in overlay.named("text", "audio"):
        if element.parent is not None:
            inside.setdefault(element.parent.start, []).append(element)
    for par in overlay.named("par"):
        texts = [element for element in inside.get(par.start, []) if element.tag == "text"]
        sounds = [element for element in inside.get(par.start, []) if element.tag == "audio"]
        if texts and sounds:
            page, fragment = resolve(path, texts[0].get("src"))
            begin, end = (clock_value(sounds[0].get(name)) for name in ("clipBegin", "clipEnd"))
            yield Par(page, fragment, resolve(path, sounds[0].get("src"))[0], begin or 0.0, end)


def clock_value(text: str) -> float | None:
    """The seconds of a SMIL clock value such as "0:33:35.025", "12.5s" or "2min"; None for what is none."""
    found = CLOCK.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, rest, metric = found.groups()
    return int(hours or 0) * 3600.0 + int(minutes or 0) * 60.0 + float(rest) * METRIC[metric]


def _listen(data: bytes, name: str, found: _Found) -> Heard:
    import av

    try:
        with av.open(BytesIO(data)) as container:
            if not container.streams.audio:
                raise InputError(f"its file {name} holds no sound")
            stream = container.streams.audio[0]
            found.codings.add((stream.codec_context.codec.canonical_name, stream.rate))
            return listen(container, stream)
    except av.FFmpegError as error:
        raise InputError(f"its file {name} cannot be read as sound ({error.strerror})") from None


def _together(sounds: Sequence[Heard]) -> Heard:
    """Several sounds as one. Their loudness is that of their parts by length: near enough for a judgement."""
    seconds = sum(sound.seconds for sound in sounds)
    power = sum(sound.seconds * 10 ** (sound.lufs / 10) for sound in sounds if sound.lufs is not None)
    length = sum(sound.seconds for sound in sounds if sound.lufs is not None)
    peaks = [sound.peak_db for sound in sounds if sound.peak_db is not None]
    silences: list[tuple[float, float]] = []
    faults: list[str] = []
    at = 0.0
    for sound in sounds:
        silences += [(at + start, long) for start, long in sound.silences]
        faults += sound.faults
        at += sound.seconds
    lufs = 10 * math.log10(power / length) if power > 0 else None
    return Heard(seconds, lufs, max(peaks, default=None), tuple(silences), tuple(faults))


def _said(found: _Found) -> dict[str, str]:
    """What the book says of itself, by the names that tags of sound files have."""

    def first(*names: str) -> str:
        return next((found.package.content(element) for element in found.package.named(*names)), "")

    metas = found.package.named("meta")
    narrator = next((meta for meta in metas if meta.get("property") == "media:narrator"), None)
    named = {"title": first("title"), "album": first("title"), "artist": first("creator")}
    return {**named, "composer": found.package.content(narrator) if narrator else ""}


def _length(par: Par, found: _Found) -> float:
    end = par.end
    if end is None:
        end = found.sounds[par.sound].seconds if par.sound in found.sounds else par.begin
    return end - par.begin


def par_faults(pars: Sequence[Par], found: _Found, identities: dict[str, set[str]]) -> Iterator[tuple[str, str]]:
    """What is wrong with overlays: the kind of each fault, and a sentence."""
    for par in pars:
        place = f"{par.page}#{par.fragment}"
        if par.page not in found.names:
            yield "page", f"An overlay leads to {par.page}, which is missing."
        elif par.fragment and par.fragment not in identities[par.page]:
            yield "text", f"An overlay leads to {place}, which is not on that page."
        if par.sound not in found.names:
            yield "sound", f"{place} is to sound as in {par.sound}, which is missing."
            continue
        seconds = found.sounds[par.sound].seconds
        if par.end is not None and par.end <= par.begin:
            yield "empty", f"{place} ends at {par.end:.3f} s, where it begins or before."
        elif max(par.begin, par.end or 0.0) > seconds + EDGE_SECONDS:
            yield (
                "beyond",
                f"{place} sounds until {par.end or par.begin:.3f} s of {par.sound}, which has {seconds:.3f} s.",
            )
    for sound, heard in found.sounds.items():
        covered = sum(_length(par, found) for par in pars if par.sound == sound)
        if heard.seconds - covered > UNHEARD_SECONDS:
            name = posixpath.basename(sound)
            yield "unheard", f"Of {name}, {heard.seconds - covered:.1f} s are in no overlay, and are not heard."


def duration_faults(found: _Found) -> Iterator[str]:
    """Lengths that the package does not have, or has otherwise than they are."""
    for name, pars in found.pars.items():
        length = sum(_length(par, found) for par in pars)
        if name not in found.stated:
            yield f"The package does not say how long {posixpath.basename(name)} sounds."
        elif abs(found.stated[name] - length) > SUM_SECONDS:
            yield f"{posixpath.basename(name)} is said to sound for {hms(found.stated[name])}, and has {hms(length)}."
    if found.pars and found.total is None:
        yield "The package does not say how long the book sounds."
    elif found.total is not None and abs(found.total - sum(found.stated.values())) > SUM_SECONDS:
        yield f"The book is said to sound for {hms(found.total)}, and its parts for {hms(sum(found.stated.values()))}."


def _few(faults: Iterator[tuple[str, str]]) -> Iterator[str]:
    """The first faults of each kind, and how many more there are of it."""
    counts: dict[str, int] = {}
    for kind, fault in faults:
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] <= MOST_ALIKE:
            yield fault
    for count in counts.values():
        if count > MOST_ALIKE:
            yield f"{count - MOST_ALIKE} more are like one of these."
