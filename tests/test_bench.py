"""`narrate bench` tells the truth: known engines give the numbers known beforehand, in simulated time."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.bench import BenchOptions, bench
from narrate.bench.compare import MARKS, is_worse, verdict
from narrate.bench.figures import FIGURES, of_run
from narrate.bench.interrupt import Jumps, jump_about
from narrate.bench.listener import DEVICE_SECONDS, Listener, Paced
from narrate.bench.measure import Batch, Run, open_workload, run
from narrate.bench.quality import judge
from narrate.bench.report import PLOT_HEIGHT, _fit, plot
from narrate.bench.strategies import InOrder, best_size, fit
from narrate.checking.examiner import Case
from narrate.clip import Clip, Samples
from narrate.clock import Simulated
from narrate.engines import Request
from narrate.engines.batched import Batched
from narrate.engines.planner import Planner
from narrate.engines.tone import Tone, melody
from narrate.engines.tuning import best_batch_size, keep_batch_size
from narrate.errors import InputError
from narrate.text.book import TextOptions
from narrate.voice import Voice
from tests.speech import a_chunk, speech_like

SAMPLES = Path(__file__).parents[1] / "samples"
STORY = str(SAMPLES / "lighthouse.en.txt")
NUMBER = (int, float)

# The shape of the JSON. A list of one is a list of such; None beside a shape: may be absent; str: number: any names.
FIGURE_LISTS = {str: [NUMBER]}
STAGE = dict.fromkeys(("count", "p50", "p90", "p95", "p99", "max", "share"), NUMBER)
WHERE = {"name": str, "engine": str}
TIMES = {"seconds": [NUMBER], **dict.fromkeys(("mean", "median", "deviation", "least", "most"), (NUMBER, None))}
SCHEMA = {
    "schema": int,
    "narrate": str,
    "commit": (str, None),
    "when": str,
    "command": [str],
    "machine": {
        "system": str, "processor": str, "cores": (int, None), "memory_gb": (NUMBER, None), "gpu": (str, None),
        "python": str, "packages": {str: str},
    },
    "complete": bool,
    "texts": [
        {
            **WHERE, "language": str, "simulated": bool, "complete": bool, "runs": int, "figures": FIGURE_LISTS,
            "stages": {str: STAGE}, "gaps": [{"chunk": int, "at": NUMBER, "seconds": NUMBER}], "buffered": [[NUMBER]],
        }
    ],
    "batch_sizes": (
        {**WHERE, "best": (int, None), "kept": (str, None), "rows": [{"size": int, "figures": {str: NUMBER}}]}, None,
    ),
    "strategies": ({**WHERE, "rows": [{"strategy": str, "figures": {str: NUMBER}}]}, None),
    "fit": ({"a": NUMBER, "b": NUMBER, "c": NUMBER, "error": NUMBER, "batches": int, "spec": str}, None),
    "interrupt": ({**WHERE, "buffered": TIMES, "unbuffered": TIMES}, None),
    "quality": (
        [
            {
                **WHERE, "voice": str, "takes": int, "seconds": NUMBER, "clipping": NUMBER, "clicks": int,
                "spread": {str: [NUMBER]}, "odd": [[str]],
                "mos": ({str: NUMBER}, None), "errors": ({str: NUMBER}, None),
                "missing": [str],
            }
        ],
        None,
    ),
    "against": (
        {
            "file": str, "commit": (str, None), "when": str,
            "rows": [
                {
                    "name": str, "key": str, "label": str, "before": NUMBER, "now": NUMBER, "ratio": (NUMBER, None),
                    "verdict": str,
                }
            ],
        },
        None,
    ),
}  # fmt: skip


def check(value: Any, shape: Any, at: str = "") -> None:
    if isinstance(shape, tuple) and None in shape:
        if value is not None:
            check(value, shape[0], at)
    elif isinstance(shape, list):
        assert isinstance(value, list | tuple), at
        for number, item in enumerate(value):
            check(item, shape[0], f"{at}[{number}]")
    elif isinstance(shape, dict) and list(shape) == [str]:
        assert isinstance(value, dict), at
        for name, item in value.items():
            check(item, shape[str], f"{at}.{name}")
    elif isinstance(shape, dict):
        assert isinstance(value, dict), at
        optional = {name for name, part in shape.items() if isinstance(part, tuple) and None in part}
        assert value.keys() <= shape.keys(), f"{at}: {value.keys() - shape.keys()}"
        assert shape.keys() - optional <= value.keys(), f"{at}: {shape.keys() - value.keys()}"
        for name, item in value.items():
            check(item, shape[name], f"{at}.{name}")
    else:
        assert isinstance(value, shape), f"{at}: {value!r}"
        assert value not in (inf, -inf), at


def benched(**options: Any) -> tuple[str, dict[str, Any]]:
    """What a benchmark prints for people, and its line of JSON."""
    stdout, stderr = io.StringIO(), io.StringIO()
    assert bench(BenchOptions(**options), stdout, stderr) == 0
    tables, line = stdout.getvalue().rstrip("\n").rsplit("\n", 1)
    return tables, json.loads(line)


def simulated(text: str | Path, spec: str, planner: Planner | None = None, **options: Any) -> Run:
    return run(open_workload(str(text), spec, TextOptions(**options), simulate=True), planner)


# What is known beforehand


@pytest.mark.parametrize("sample", ["lighthouse.en.txt", "umbrella.ja.txt", "well.zh.txt"])
def test_an_engine_of_known_speed_has_that_speed(sample: str) -> None:
    found = simulated(SAMPLES / sample, "tone:rtf=0.4")
    assert found.rtf == pytest.approx(0.40, rel=0.02)
    assert not found.gaps
    assert found.complete
    assert found.failed == found.retaken == 0


@dataclass(kw_only=True, eq=False)
class Measured(Tone):
    """The test signal in takes of these seconds, whatever the text."""

    seconds: tuple[float, ...]

    def _take(self, request: Request) -> Samples:
        return melody(self.seconds[request.chunk.index], self.rate, request.chunk.spoken)


@pytest.fixture
def four_paragraphs(tmp_path: Path) -> Path:
    text = tmp_path / "text.txt"
    text.write_text("Abcdefghi jklmnopqr stuvwxyz.\n\nAbcd efgh ijkl mnop qrst uvwx.\n\nWord.\n\nWord!\n")
    return text


def test_gaps_are_those_computed_by_hand(four_paragraphs: Path) -> None:
    """Every chunk takes 3 s. The first, of 2 s and 0.6 s of pause, is heard from 3.0 to 5.6; the second is ready at 6,
    0.4 s late, and lasts until 8.5; the third at 9, 0.5 s late, until 12.1; the last, ready at 12, leaves no gap."""
    workload = open_workload(str(four_paragraphs), "tone", TextOptions(language="en"), simulate=True)
    assert workload.simulated is not None
    measured = Measured(c=3, seconds=(2.0, 1.9, 2.5, 1.0), sleep=workload.simulated.sleep)
    workload.engine = workload.batched = Batched(measured)
    found = run(workload, InOrder(1))
    assert found.first == pytest.approx(3.0)
    assert [gap.chunk for gap in found.gaps] == [1, 2]
    assert [gap.seconds for gap in found.gaps] == pytest.approx([0.4, 0.5])
    assert [gap.at for gap in found.gaps] == pytest.approx([5.6, 8.5])
    assert found.wall == pytest.approx(12.0)
    assert found.rtf == pytest.approx(12.0 / 7.4)


def test_a_known_delay_is_the_time_to_the_first_sound(four_paragraphs: Path) -> None:
    found = simulated(four_paragraphs, "tone:delay=7.5,a=0.25", language="en")
    assert found.first == pytest.approx(7.75)


@pytest.mark.parametrize(("rate", "rows"), [(0.5, 1), (1.0, 4)])
def test_stages_add_up_to_the_whole(rate: float, rows: int) -> None:
    found = simulated(STORY, f"tone:a={rate}", InOrder(rows))
    assert sum(found.stages["speak"]) == pytest.approx(found.wall)
    assert len(found.stages["speak"]) * rate == pytest.approx(found.wall)
    assert len(found.stages["judge"]) == found.made
    assert found.stages.keys() >= {"load", "normalise", "chunk", "plan", "speak", "judge", "store"}


def test_bad_takes_are_counted() -> None:
    found = simulated(STORY, "tone:rtf=0.1,silent=2+5,fail=7")
    assert (found.retaken, found.failed) == (2 + 8, 1)  # one that always fails: twice again, then thrice in halves


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0.1, 9)), min_size=1, max_size=20))
def test_every_second_of_a_listener_is_sound_or_silence(ready: list[tuple[float, float]]) -> None:
    time = Simulated()
    listener = Listener(time.now)
    for index, (wait, seconds) in enumerate(ready):
        time.sleep(wait)
        listener.hear(Clip(a_chunk(index, pause=0.5), np.zeros(round(seconds * 1000), np.float32), 1000))
    assert listener.first == ready[0][0]
    sound = sum(round(seconds * 1000) / 1000 + 0.5 for _, seconds in ready)
    silence = sum(gap.seconds for gap in listener.gaps)
    assert listener.first + sound + silence == pytest.approx(time.now() + listener.buffered())


def test_a_paced_sink_takes_sound_as_a_loudspeaker_does() -> None:
    time = Simulated()
    sink = Paced(time.now, time.sleep)
    sink.write(Clip(a_chunk(0), np.zeros(1000, np.float32), 1000))
    assert time.now() == pytest.approx(1.0 - DEVICE_SECONDS)
    time.sleep(DEVICE_SECONDS + 0.5)
    sink.write(Clip(a_chunk(1), np.zeros(1000, np.float32), 1000))
    assert sink.silences == pytest.approx([0.5])


# Strategies


def test_the_planner_is_sooner_and_as_quick_and_leaves_no_gap_that_could_be_spared(books: Path) -> None:
    """Against full batches in order, on the first chapter of a novel, with an engine that is quick enough."""
    spec = "tone:a=0.05,b=0.35,c=0.02"
    novel = books / "wagahai.sjis.txt"
    planned, fixed = (simulated(novel, spec, planner, chapters="1") for planner in (Planner(10), InOrder(10)))
    assert planned.first is not None
    assert fixed.first is not None
    assert planned.rtf is not None
    assert fixed.rtf is not None
    assert 5 * planned.first <= fixed.first
    assert not planned.gaps
    assert planned.rtf <= 1.05 * fixed.rtf
    assert planned.padding is not None
    assert fixed.padding is not None
    assert planned.padding < fixed.padding


def test_fixed_batches_are_in_order() -> None:
    planner = InOrder(3)
    waiting = [Request(str(index), a_chunk(index), Voice()) for index in range(7)]
    assert planner.wanted([]) == planner.wanted(waiting) == 3
    assert planner.choose(waiting, 0.0) == waiting[:3]
    assert planner.choose(waiting[6:], 0.0) == waiting[6:]


def test_the_smallest_size_about_as_quick_as_the_quickest_is_best() -> None:
    runs = [(size, simulated(STORY, "tone:a=1,rtf=0.2", InOrder(size))) for size in (1, 4, 12, 14)]
    assert best_size(runs) == 12  # two batches, as with 14


@given(st.tuples(st.floats(0, 2), st.floats(0.05, 2), st.floats(0, 1)))
def test_costs_are_found_again(costs: tuple[float, float, float]) -> None:
    a, b, c = costs
    rows = [tuple(1.0 + (7 * batch + 3 * row) % 11 for row in range(1 + batch % 6)) for batch in range(30)]
    found = fit([Batch(each, a + b * max(each) + c * len(each)) for each in rows])
    assert found is not None
    assert (found.a, found.b, found.c) == pytest.approx(costs, abs=1e-6)
    assert found.error < 1e-6


def test_too_few_batches_tell_nothing() -> None:
    assert fit([Batch((1.0,), 2.0)] * 5) is None


# What is printed


def test_tables_fit_eighty_columns_and_the_last_line_is_json_of_the_schema(tmp_path: Path, home: Path) -> None:
    kept = tmp_path / "result.json"
    tables, found = benched(
        source=STORY, engine="tone:rtf=0.4,rate=8000", repeat=2, simulate=True, strategies=True, batch_sizes=(1, 4),
        fit=True, quality=True, json=kept,
    )  # fmt: skip
    check(found, SCHEMA)
    assert json.loads(kept.read_text()) == found
    assert found["complete"]
    assert max(map(len, tables.splitlines())) <= 80
    assert found["texts"][0]["figures"]["rtf"] == pytest.approx([0.4, 0.4], rel=0.02)
    assert [row["strategy"] for row in found["strategies"]["rows"]] == [
        "one chunk at a time",
        "batches of 10 in order",
        "this planner",
    ]
    assert found["quality"][0]["takes"] == found["texts"][0]["figures"]["takes"][0]
    assert not list(home.glob("*"))  # simulated time says nothing about this machine


def test_samples_in_three_languages_are_measured_cold_and_warm() -> None:
    tables, found = benched(engine="tone:rtf=0.001")
    check(found, SCHEMA)
    assert [text["language"] for text in found["texts"]] == ["en", "ja", "zh"]
    assert max(map(len, tables.splitlines())) <= 80
    for text in found["texts"]:
        cold, warm = (text["figures"][f"first_sound_{kind}"][0] for kind in ("cold", "warm"))
        assert 0 < warm < cold


def test_against_an_earlier_result(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    benched(source=STORY, engine="tone:rtf=0.4", repeat=2, simulate=True, json=old)
    before = json.loads(old.read_text())
    for key in [key for key in before["texts"][0]["figures"] if "memory" in key]:
        del before["texts"][0]["figures"][key]  # it is not simulated, and grows from test to test
    old.write_text(json.dumps(before))
    tables, found = benched(source=STORY, engine="tone:rtf=0.4", repeat=2, simulate=True, against=old)
    check(found, SCHEMA)
    rows = {row["key"]: row for row in found["against"]["rows"]}
    assert rows["rtf"]["ratio"] == pytest.approx(1.0)
    assert rows["rtf"]["verdict"] == "same"
    assert "Against" in tables
    assert "\nsame: no difference in the digits shown." in tables


@pytest.mark.parametrize(
    ("before", "runs", "code", "mark"),
    [(0.4, 2, 3, "worse"), (0.6, 2, 0, "better"), (0.5, 2, 0, "same"), (0.4, 1, 0, "not known"), (0.4, 2, 0, None)],
)
def test_what_is_worse_has_an_exit_code_and_every_mark_its_meaning(
    before: float, runs: int, code: int, mark: str | None, tmp_path: Path
) -> None:
    """An earlier result of nothing but a speed, at which `mark` None is another engine's."""
    old = tmp_path / "old.json"
    _, found = benched(source=STORY, engine="tone:rtf=0.5", repeat=runs, simulate=True)
    found["texts"][0]["figures"] = {"rtf": [before] * runs}
    if mark is None:
        found["texts"][0]["engine"] = "espeak"
    old.write_text(json.dumps(found))
    stdout = io.StringIO()
    options = BenchOptions(source=STORY, engine="tone:rtf=0.5", repeat=runs, simulate=True, against=old)
    assert bench(options, stdout, io.StringIO()) == code
    said = " ".join(stdout.getvalue().split())
    assert (f" {mark}: {MARKS[mark]}." if mark else "Nothing to compare: no text was read by the same engine") in said


def test_a_result_that_is_broken_off_is_not_said_to_be_worse() -> None:
    assert not is_worse({"rows": [{"verdict": mark} for mark in MARKS if mark != "worse"]})
    assert is_worse({"rows": [{"verdict": "same"}, {"verdict": "worse"}]})


def test_json_on_standard_output_stands_alone() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    options = BenchOptions(source=STORY, engine="tone:rtf=0.4", simulate=True, json=Path("-"))
    assert bench(options, stdout, stderr) == 0
    check(json.loads(stdout.getvalue()), SCHEMA)
    assert "What a listener gets" in stderr.getvalue()
    assert not Path("-").exists()


@pytest.mark.parametrize(("error", "said"), [(0.1, "To simulate an engine of about this cost: -e tone:a=1"),
                                             (0.11, "too far off to go by")])  # fmt: skip
def test_a_poor_fit_is_not_offered(error: float, said: str) -> None:
    from rich.console import Console

    text = io.StringIO()
    _fit({"a": 1, "b": 2, "c": 3, "error": error, "batches": 9, "spec": "tone:a=1"}, Console(file=text, width=80))
    assert said in " ".join(text.getvalue().split())
    assert ("tone:a=1" in text.getvalue()) == (error <= 0.1)


@pytest.mark.parametrize(
    ("before", "now", "better", "said"),
    [
        ([1.0], [1.0], -1, "same"),
        ([1.0], [2.0], -1, "not known"),
        ([1.0], [1.0004], -1, "same"),
        ([1.0], [1.0006], -1, "not known"),
        ([1.0, 1.1], [1.05, 1.2], -1, "within the spread"),
        ([1.0, 1.1], [2.0, 2.1], -1, "worse"),
        ([1.0, 1.1], [2.0, 2.1], +1, "better"),
        ([1.0, 1.1], [2.0, 2.1], 0, "differs"),
        ([2.0, 2.1], [1.0, 1.1], -1, "better"),
        ([1.0, 2.0], [2.1, 2.2], -1, "within the spread"),
    ],
)
def test_a_difference_counts_if_it_is_more_than_the_spread(
    before: list[float], now: list[float], better: int, said: str
) -> None:
    assert verdict(before, now, better) == said


def test_the_plot_shows_where_nothing_was_left_to_hear() -> None:
    lines = plot([(0.0, 10.0), (20.0, 10.0), (30.0, 10.0)])
    assert len(lines) == PLOT_HEIGHT + 1
    ground = re.sub(r".*┤", "", lines[-2])
    dry = range(round(len(ground) * 0.36), round(len(ground) * 0.6))  # from 10 s to 20 s
    assert all(ground[at] == " " for at in dry)
    assert ground[0] == ground[-1] == "█"


def test_ctrl_c_prints_what_is_known_so_far() -> None:
    command = [sys.executable, "-m", "narrate", "bench", STORY, "-e", "tone:rtf=0.5"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    while "run 1 of 1" not in child.stderr.readline():
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    stdout, stderr = child.communicate(timeout=60)
    assert child.returncode == 130, stderr
    found = json.loads(stdout.rstrip("\n").rsplit("\n", 1)[1])
    check(found, SCHEMA)
    assert not found["complete"]
    assert found["texts"][0]["figures"]["first_sound_warm"][0] > 0


# Jumps, quality, batch sizes, errors


def test_jumps_are_timed_for_places_that_are_made_and_for_others() -> None:
    jumps = Jumps()
    jump_about(open_workload(STORY, "tone:rtf=0.02", TextOptions()), 1, jumps, lambda what, sound: None)
    assert len(jumps.buffered) == len(jumps.unbuffered) == 1
    assert jumps.buffered[0] > 0
    assert jumps.unbuffered[0] > 0


def test_quality_names_what_is_odd() -> None:
    chunks = [a_chunk(index, f"A sentence of an ordinary length, the {index}th of them.") for index in range(12)]
    takes = [Case(chunk, speech_like(chunk), 24_000) for chunk in chunks]
    takes[3] = Case(chunks[3], speech_like(chunks[3], factor=3.0), 24_000)
    takes[5] = Case(chunks[5], speech_like(chunks[5]) * np.float32(0.1), 24_000)
    takes[7] = Case(chunks[7], np.concatenate([takes[7].samples[:24_000], np.ones(2_400, np.float32)]), 24_000)
    found = judge(takes)
    assert found is not None
    assert [what.split()[:3] for what, _ in found.odd][:2] == [["33%", "as", "quick"], ["20", "dB", "softer"]]
    assert "than the rest" in found.odd[1][0]
    assert "3th" in found.odd[0][1]
    assert found.clipping == pytest.approx(2_400 / sum(len(take.samples) for take in takes))
    assert found.spread["pace"][1] == pytest.approx(1.0, rel=0.03)
    assert found.spread["pitch"][1] == pytest.approx(180, rel=0.01)


def test_voices_are_compared_in_one_table() -> None:
    said, found = benched(source=str(SAMPLES / "well.zh.txt"), engine="espeak", quality=True, voices=("cmn+f1",))
    low, high = (part["spread"]["pitch"][1] for part in found["quality"])
    assert [part["voice"] for part in found["quality"]] == ["", "cmn+f1"]
    assert high > 1.5 * low
    assert any("espeak" in line and "cmn+f1" in line for line in said.splitlines())


def test_the_best_batch_size_is_kept_where_auto_looks(home: Path) -> None:
    _, found = benched(source=str(SAMPLES / "well.zh.txt"), engine="tone:a=0.1", batch_sizes=(1, 20))
    workload = open_workload(STORY, "tone:a=0.1", TextOptions())
    assert found["batch_sizes"]["best"] == 20
    assert best_batch_size(workload.engine.fingerprint) == 20
    assert best_batch_size({"engine": "another"}) is None


def test_a_damaged_note_of_batch_sizes_is_no_note(home: Path) -> None:
    path = keep_batch_size({"engine": "a"}, 7)
    keep_batch_size({"engine": "b"}, 8)
    assert (best_batch_size({"engine": "a"}), best_batch_size({"engine": "b"})) == (7, 8)
    path.write_text('["no", "note"')
    assert best_batch_size({"engine": "a"}) is None
    keep_batch_size({"engine": "a"}, 9)
    assert best_batch_size({"engine": "a"}) == 9


def test_every_figure_has_a_name_of_its_own() -> None:
    found = of_run(simulated(STORY, "tone:rtf=0.1"))
    assert len({figure.key for figure in FIGURES}) == len(FIGURES)
    assert found.keys() <= {figure.key for figure in FIGURES}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": "-"}, "name a file"),
        ({"source": "nowhere.txt"}, "nowhere.txt"),
        ({"source": STORY, "engine": "espeak", "simulate": True}, "Only the tone engine"),
        ({"source": STORY, "simulate": True, "engine": "tone", "jumps": 3}, "cannot be heard"),
        ({"source": STORY, "simulate": True, "engine": "tone"}, "takes no time at all: give it a cost"),
        ({"source": STORY, "simulate": True, "engine": "tone:rtf=0.0,fail=2"}, "give it a cost"),
        ({"source": STORY, "against": Path(STORY)}, "no result"),
        ({"source": STORY, "json": Path("nowhere/result.json")}, "cannot be written"),
        ({"source": STORY, "engine": "tone-stream:rtf=1", "simulate": True, "strategies": True}, "refills its slots"),
    ],
    ids=lambda case: str(case)[:30],
)
def test_what_cannot_be_measured_is_said_in_a_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        bench(BenchOptions(**options), io.StringIO(), io.StringIO())


@pytest.mark.parametrize("sizes", ["", "1,", "ten", "0,5"])
def test_no_list_of_sizes(sizes: str) -> None:
    command = [sys.executable, "-m", "narrate", "bench", STORY, "--batch-sizes", sizes]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "must be a list of sizes such as 1,2,5,10,20, not" in done.stderr
    assert not done.stdout
