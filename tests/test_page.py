"""The page in a real browser: a book is sent, sounds, is followed, sought in, left and found again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import browsing
from tests.served import Served, serving, start, until

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
STORY = "\n\n".join(f"This is paragraph {number} of a long story for the page." for number in range(400))
# Where the accessibility checker axe-core lies, if it is there: AXE names its axe.min.js.
AXE = Path(os.environ.get("AXE", "/nowhere/axe.min.js"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home"), "--library", str(SAMPLES)) as found:
        yield found


class Page:
    """What somebody sees and does."""

    def __init__(self, browser: Any, address: str, **kind: Any) -> None:
        self.context = browser.new_context(**kind)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        self.page.goto(address)

    def find(self, code: str) -> Any:
        return self.page.evaluate(code)

    @property
    def seconds(self) -> float:
        return float(self.find("document.getElementById('audio').currentTime"))

    @property
    def plays(self) -> bool:
        return bool(self.find("!document.getElementById('audio').paused"))

    @property
    def marked(self) -> int | None:
        """The sentence that is marked."""
        found: int | None = self.find("Number(document.querySelector('[aria-current]')?.dataset.chunk ?? NaN)")
        return found

    def sounds(self) -> None:
        """Wait until the time of the sound goes on."""
        before = self.seconds
        until(lambda: self.plays and self.seconds > before + 0.2)

    def words(self, identity: str) -> str:
        return str(self.page.inner_text(f"#{identity}"))

    def is_in_view(self, chunk: int) -> bool:
        top, bottom = self.find(
            f"(box => [box.top, box.bottom])(document.getElementById('s{chunk}').getBoundingClientRect())"
        )
        return top >= 0 and bottom <= self.find("document.getElementById('controls').getBoundingClientRect().top")


@pytest.fixture
def page(browser: Any, server: Served) -> Iterator[Page]:
    page = Page(browser, server.address, viewport={"width": 360, "height": 740})
    yield page
    assert page.errors == []
    page.context.close()


@pytest.fixture
def story(page: Page) -> Page:
    """A long text that sounds."""
    page.page.fill("#pasted", STORY)
    page.page.click("text=Read the text")
    page.sounds()
    return page


def test_a_book_that_is_sent_sounds_and_its_sentences_are_marked_as_they_do(page: Page) -> None:
    page.page.set_input_files("#file", str(SAMPLES / "lighthouse.en.txt"))
    page.sounds()
    first = until(lambda: page.marked == page.marked and page.marked is not None) and page.marked
    assert first is not None
    until(lambda: page.marked is not None and page.marked > first)
    until(lambda: page.is_in_view(page.marked or 0))
    assert "came on a Tuesday" in page.words("text")
    assert page.find("document.title") == page.words("title") == "lighthouse.en"


def test_a_click_on_a_sentence_goes_there(story: Page) -> None:
    story.page.click("#s3")
    until(lambda: story.marked == 3)
    story.sounds()
    assert story.marked in (3, 4)


def test_a_place_that_is_not_made_is_made_next(story: Page) -> None:
    run = story.find("document.getElementById('audio').src")
    story.find("document.getElementById('s200').click()")
    until(lambda: story.marked == 200)
    until(lambda: story.find("document.getElementById('audio').src") != run)
    story.sounds()
    assert story.marked in (200, 201)
    until(lambda: story.is_in_view(story.marked or 0))


def test_the_bar_leads_to_a_time_of_the_book(story: Page) -> None:
    until(lambda: float(story.find("document.getElementById('place').max")) > 600)
    before = story.marked or 0
    story.find(
        "(bar => { bar.value = 600; bar.dispatchEvent(new Event('change')); })(document.getElementById('place'))"
    )
    until(lambda: (story.marked or 0) > before + 100)
    story.sounds()


def test_a_page_that_is_loaded_again_goes_on_at_the_place(story: Page) -> None:
    story.page.click("#s6")
    until(lambda: story.marked == 6)
    story.sounds()
    story.page.reload()
    until(lambda: story.marked in (6, 7))
    assert story.page.get_attribute("#play", "aria-label") == "Play"
    story.page.click("#play")
    story.sounds()
    assert story.marked in (6, 7, 8)


def test_another_device_goes_on_where_this_one_stopped(browser: Any, server: Served, story: Page) -> None:
    story.page.click("#s5")
    until(lambda: story.marked == 5)
    story.sounds()
    story.page.click("#play")
    until(lambda: not story.plays)
    other = Page(browser, story.page.url)
    until(lambda: other.marked in (5, 6))
    other.page.click("#play")
    other.sounds()
    assert other.marked in (5, 6, 7)
    assert other.errors == []
    other.context.close()


def test_where_another_device_went_on_this_one_stops(browser: Any, server: Served, story: Page) -> None:
    other = Page(browser, story.page.url)
    until(lambda: other.find("document.getElementById('text').children.length"))
    other.find("document.getElementById('s150').click()")
    until(lambda: other.marked == 150)
    other.sounds()
    until(lambda: "on another device" in story.words("notice"))
    assert not story.plays
    other.page.click("#play")
    until(lambda: not other.plays)
    story.page.click("#play")
    story.sounds()
    until(lambda: story.marked in (150, 151, 152))
    other.context.close()


def test_the_browsers_own_hls_plays_the_same(browser: Any, server: Served) -> None:
    page = Page(browser, f"{server.address}/?sound=hls")
    if not page.find("document.createElement('audio').canPlayType('application/vnd.apple.mpegurl')"):
        pytest.skip("this browser does not play HLS by itself")
    page.page.fill("#pasted", STORY)
    page.page.click("text=Read the text")
    page.sounds()
    assert page.find("document.getElementById('audio').src").endswith("/runs/1/playlist.m3u8")
    page.page.click("#s3")
    until(lambda: page.marked == 3)
    page.sounds()
    page.find("document.getElementById('s200').click()")
    until(lambda: page.marked == 200)
    until(lambda: page.find("document.getElementById('audio').src").endswith("/runs/2/playlist.m3u8"))
    page.sounds()
    assert page.errors == []
    page.context.close()


def test_the_library_is_chosen_from_and_found_again_among_what_is_open(page: Page) -> None:
    page.page.fill("#filter", "well")
    until(lambda: page.find("document.querySelectorAll('#library-list li').length") == 1)
    page.page.click("#library-list button")
    page.sounds()
    assert page.find("document.getElementById('text').lang") == "zh"
    page.page.click("#home-link")
    until(lambda: page.find("document.querySelectorAll('#open-list li').length") >= 1)
    assert not page.plays
    page.page.click("#open-list button.item")
    until(lambda: page.find("!document.getElementById('read').hidden"))


def test_speed_is_the_players_and_is_kept(story: Page) -> None:
    story.page.select_option("#speed", "1.5")
    until(lambda: story.find("document.getElementById('audio').playbackRate") == 1.5)
    story.page.reload()
    until(lambda: story.page.input_value("#speed") == "1.5")


def test_another_voice_goes_on_from_the_same_sentence(story: Page) -> None:
    story.page.click("#s4")
    until(lambda: story.marked == 4)
    story.sounds()
    story.page.click("summary")
    story.page.select_option("#voice", "tone/high")
    run = story.find("document.getElementById('audio').src")
    until(lambda: story.find("document.getElementById('audio').src") not in ("", run))
    story.sounds()
    assert story.marked in (4, 5, 6)
    assert story.page.input_value("#voice") == "tone/high"


def test_the_keyboard_alone_is_enough(browser: Any, server: Served) -> None:
    page = Page(browser, server.address)
    keys = page.page.keyboard

    def tab_to(selector: str) -> None:
        for _ in range(60):
            if page.find(f"document.activeElement?.matches({selector!r})"):
                return
            keys.press("Tab")
        raise AssertionError(f"Tab does not lead to {selector}")

    tab_to("#pasted")
    keys.insert_text(STORY)
    tab_to("#paste button")
    keys.press("Enter")
    page.sounds()
    tab_to("[aria-current]")
    for _ in range(4):
        keys.press("ArrowDown")
    wanted = page.find("Number(document.activeElement.dataset.chunk)")
    assert wanted >= 4
    keys.press("Enter")
    until(lambda: page.marked == wanted)
    page.sounds()
    tab_to("#play")
    keys.press("Space")
    until(lambda: not page.plays)
    keys.press("Space")
    until(lambda: page.plays)
    tab_to("#speed")
    tab_to("summary")
    keys.press("Enter")
    until(lambda: page.find("document.getElementById('more').open"))
    tab_to("#sleep")
    assert page.errors == []
    page.context.close()


def test_nothing_is_wider_than_a_phone(story: Page) -> None:
    story.page.click("summary")
    assert story.find("document.documentElement.scrollWidth") <= 360
    assert story.find(
        "document.getElementById('settings').scrollWidth <= document.getElementById('settings').clientWidth"
    )
    story.page.click("#home-link")
    until(lambda: story.find("!document.getElementById('choose').hidden"))
    assert story.find("document.documentElement.scrollWidth") <= 360


def test_errors_are_plain_words(page: Page, tmp_path: Path) -> None:
    picture = tmp_path / "cover.png"
    picture.write_bytes(b"\x89PNG nothing")
    page.page.set_input_files("#file", str(picture))
    until(lambda: "narrate cannot read cover.png" in page.words("trouble"))
    page.page.click("#trouble-close")
    until(lambda: not page.page.is_visible("#trouble"))
    page.errors.clear()  # the browser reports the refusal, too


def test_a_finished_file_can_be_saved(page: Page, tmp_path: Path) -> None:
    page.page.fill("#pasted", "A short story. It has three sentences. That is all.")
    page.page.click("text=Read the text")
    page.sounds()
    page.page.click("summary")
    page.page.click("text=M4B")
    until(lambda: page.page.query_selector("#making a"))
    with page.page.expect_download() as saved:
        page.page.click("#making a")
    saved.value.save_as(tmp_path / "book.m4b")
    assert (tmp_path / "book.m4b").read_bytes()[4:12] == b"ftypM4B "


def test_the_address_with_the_password_is_enough(browser: Any, tmp_path: Path) -> None:
    with serving(tmp_path, "--library", str(SAMPLES), environment={"NARRATE_TOKEN": "two words"}) as server:
        page = Page(browser, f"{server.address}/?token=two+words")
        assert "token" not in page.page.url
        page.page.click("text=lighthouse")
        page.sounds()
        page.page.reload()
        until(lambda: page.marked is not None and page.words("title"))
        assert page.errors == []
        page.context.close()


def test_a_page_outlives_its_server(browser: Any, tmp_path: Path) -> None:
    server = start(tmp_path, "--library", str(SAMPLES))
    page = Page(browser, server.address)
    page.page.click("text=lighthouse")
    page.sounds()
    server.stop(signal.SIGTERM)
    until(lambda: "stopped" in page.words("connection") or "No connection" in page.words("connection"))
    port = int(server.address.rpartition(":")[2])
    with serving(tmp_path, "--library", str(SAMPLES), port=port):
        until(lambda: "no longer open" in page.words("trouble"))
        page.page.click("text=lighthouse")
        page.sounds()
    page.context.close()


@pytest.mark.skipif(not AXE.is_file(), reason="AXE does not name axe-core's axe.min.js")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault_of_accessibility(browser: Any, server: Served, scheme: str) -> None:
    page = Page(browser, server.address, color_scheme=scheme, viewport={"width": 360, "height": 740})
    until(lambda: page.find("document.querySelectorAll('#library-list li').length"))
    assert _faults(page) == []
    page.page.click("text=lighthouse")
    page.sounds()
    assert _faults(page) == []
    page.page.click("summary")
    assert _faults(page) == []
    assert page.errors == []
    page.context.close()


def _faults(page: Page) -> list[str]:
    """Serious faults as axe-core finds them, with what they are about."""
    page.find(AXE.read_text("utf-8"))
    found = page.find("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{fault['id']}: {node['html'][:120]}"
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
