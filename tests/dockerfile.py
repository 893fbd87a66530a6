"""Builds a Dockerfile where no container engine is: its own steps, in Debian roots, by chroot.

Needs root and mmdebstrap. What narrate's Dockerfile uses is understood, and all else is an error: FROM, ARG, ENV,
WORKDIR, COPY, RUN (without its cache mounts), USER, VOLUME, EXPOSE, HEALTHCHECK, ENTRYPOINT and CMD.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")  # of this machine, whose network may have its own
BORROWED = "run/certificates.crt"


@dataclass(frozen=True)
class Step:
    """A line of a Dockerfile, such as RUN, and what stands behind it."""

    word: str
    rest: str


@dataclass
class Stage:
    """From one FROM to the next."""

    name: str
    base: str
    steps: list[Step] = field(default_factory=list)


@dataclass
class Image:
    """The tree of files of a built stage, and what the Dockerfile says of running it."""

    root: Path
    environment: dict[str, str]
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()

    def inside(self, command: tuple[str, ...], *, written: Mapping[str, Path]) -> list[str]:
        """A command line that runs `command` as the image's user, who can write to /tmp and to what is bound only."""
        binds = "".join(f"mount --bind '{there}' '{self.root}{here}' && " for here, there in written.items())
        script = (
            f"mount --bind '{self.root}' '{self.root}' && cd '{self.root}' && {binds}"
            f"mount -t tmpfs none tmp && mount -t proc none proc && mount -o remount,bind,ro '{self.root}' && "
            f'exec chroot --userspec={self.user} . /bin/sh -c \'cd "$WORKDIR" && exec "$@"\' sh "$@"'
        )
        variables = [f"{name}={value}" for name, value in {**self.environment, "WORKDIR": self.workdir}.items()]
        isolated = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", script, "sh"]
        return ["env", "-i", *variables, *isolated, *command]

    @property
    def megabytes(self) -> float:
        """The size of its files; one with several names counts once."""
        seen = {(at.st_ino, at.st_size) for path in self.root.rglob("*") if (at := path.lstat())}
        return sum(size for _, size in seen) / 1e6


def read(path: Path) -> tuple[dict[str, str], list[Stage]]:
    """The arguments before the first FROM with their values, and the stages in their order."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for step in _steps(path.read_text("utf-8")):
        if step.word == "FROM":
            found = re.fullmatch(r"(\S+) AS (\S+)", step.rest)
            assert found, f"a stage without a name: {step.rest}"
            stages.append(Stage(found[2], found[1]))
        elif stages:
            stages[-1].steps.append(step)
        else:
            assert step.word == "ARG", f"{step.word} before FROM"
            name, _, value = step.rest.partition("=")
            arguments[name] = value
    return arguments, stages


def _steps(text: str) -> Iterator[Step]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield Step(word.upper(), re.sub(r"\s+", " ", rest).strip())


class Builder:
    """Builds stages in `folder`, each once. `arguments` are as in `docker build --build-arg`; RUN sees `extra`, too."""

    def __init__(
        self,
        dockerfile: Path,
        context: Path,
        folder: Path,
        arguments: Mapping[str, str] | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.dockerfile, self.context, self.folder = dockerfile, context, folder
        self.given = dict(arguments or {})
        defaults, stages = read(dockerfile)
        self.global_arguments = {**defaults, **{name: self.given[name] for name in defaults if name in self.given}}
        self.stages = {stage.name: stage for stage in stages}
        self.extra = dict(extra or {})
        self._built: dict[str, Image] = {}

    def build(self, name: str) -> Image:
        if name not in self._built:
            self._built[name] = self._build(self.stages[name])
        return self._built[name]

    def _build(self, stage: Stage) -> Image:
        root = self.folder / stage.name
        base = _filled(stage.base, self.global_arguments)
        if base in self.stages:
            below = self.build(base)
            subprocess.run(["cp", "-a", "--reflink=auto", str(below.root), str(root)], check=True)
            image = replace(below, root=root, environment=dict(below.environment))
        else:
            image = Image(root, {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
            _debian(base, root)
        arguments: dict[str, str] = {}
        for step in stage.steps:
            self._do(step, image, arguments)
        return image

    def _do(self, step: Step, image: Image, arguments: dict[str, str]) -> None:
        known = {**arguments, **image.environment}
        match step.word:
            case "ARG":
                name, _, value = step.rest.partition("=")
                arguments[name] = self.given.get(name, value)
            case "ENV":
                pairs = re.findall(r'(\w+)=("[^"]*"|\S+)', _filled(step.rest, known))
                image.environment |= {name: value.strip('"') for name, value in pairs}
            case "WORKDIR":
                image.workdir = step.rest
                (image.root / step.rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(step.rest, image)
            case "RUN":
                self._run(step.rest, image, arguments)
            case "USER":
                image.user = step.rest
            case "VOLUME":
                image.volumes = tuple(json.loads(step.rest))
            case "HEALTHCHECK":
                image.health = tuple(json.loads(step.rest.partition("CMD ")[2]))
            case "ENTRYPOINT":
                image.entrypoint = tuple(json.loads(step.rest))
            case "CMD":
                image.command = tuple(json.loads(step.rest))
            case "EXPOSE":
                pass
            case _:
                raise AssertionError(f"{step.word} is not understood here")

    def _copy(self, rest: str, image: Image) -> None:
        *options, source, target = rest.split()
        place = image.root / (target if target.startswith("/") else f"{image.workdir}/{target}").lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        if options:
            (stage,) = (option.removeprefix("--from=") for option in options)
            there = self.build(stage).root / source.lstrip("/")
            subprocess.run(["cp", "-a", f"{there}/.", str(place)], check=True)
            return
        for name in self.allowed() if source == "." else [source]:
            path = self.context / name
            if path.is_dir():
                shutil.copytree(path, place / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
            else:
                shutil.copy2(path, place / name)

    def allowed(self) -> list[str]:
        """What the build may see of the checkout."""
        lines = self.dockerfile.with_name(f"{self.dockerfile.name}.dockerignore").read_text("utf-8").split()
        assert (lines[0], lines[-1]) == ("*", "**/__pycache__")
        return [line.removeprefix("!") for line in lines[1:-1]]

    def _run(self, rest: str, image: Image, arguments: Mapping[str, str]) -> None:
        command = re.sub(r"--mount=type=cache,\S+ ", "", rest)
        assert not command.startswith("--"), f"not understood: {command}"
        root = image.root
        shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
        borrowed = {}
        if CERTIFICATES.exists():
            shutil.copyfile(CERTIFICATES, root / BORROWED)
            borrowed = dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT"), f"/{BORROWED}")
        variables = {**borrowed, **self.extra, **arguments, **image.environment, "HOME": "/root"}
        try:
            subprocess.run(
                ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={root}/proc"]
                + ["chroot", str(root), "/bin/sh", "-c", f"cd '{image.workdir}' && {command}"],
                env=variables,
                check=True,
            )
        finally:
            (root / BORROWED).unlink(missing_ok=True)


def _filled(text: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: known[found[1] or found[2]], text)


def _debian(base: str, root: Path) -> None:
    """A root as in the image debian:SUITE-slim: the essential packages; apt keeps nothing that it has fetched."""
    found = re.fullmatch(r"debian:(\w+)-slim", base)
    assert found, f"no root like {base} can be made"
    without = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
    old = "--aptopt=Acquire::Check-Valid-Until false"  # a mirror may be behind
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", old, *without, found[1], str(root), MIRROR],
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    (root / "etc/apt/apt.conf.d/keep-nothing").write_text(
        'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
        'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };\n'
    )
