from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import typer
from dataset_layout import write_manifest_lines, write_rows, write_sound
from matplotlib.image import imread
from typer.testing import CliRunner

from training.analyse import FIGURES_FILE, REPORT_FILE, analyse, read_captions, register
from training.analysis.plot import PlotError, plot_mtld_density
from training.analysis.richness import CaptionSet, marking_words, richness
from training.analysis.topic import TopicError, Topics, find_topics, plot_topics
from training.data.dataset import DataError
from training.data.synthetic import SyntheticCaptions, SyntheticFile
from training.metrics.lexical import mtld

PEOPLE = CaptionSet(
    "people", tuple((f"A dog barks at a {w}", f"the {w} is barked at") for w in "cat car man bird hen".split())
)
MACHINE = CaptionSet(
    "machine", tuple((f"a gentle rhythmic {w} amidst gentle rhythmic {w}",) for w in "hum hiss buzz".split())
)


def test_that_richness_counts_words_and_takes_mtld_over_a_clips_captions() -> None:
    one = richness(PEOPLE)
    assert (one.clips, one.captions, one.vocabulary) == (5, 10, 12)
    words = "a dog barks at a cat the cat is barked at".split()
    assert one.mtld[0] == pytest.approx(mtld(words))
    assert one.figures()["words of a caption"] == 5.5


def test_that_marking_words_are_those_of_one_set_and_not_the_merely_frequent() -> None:
    own = Counter({"a": 1000, "gentle": 40, "rare": 1})
    others = Counter({"a": 1000, "dog": 40})
    found = marking_words(own, others)
    assert found[0][0] == "gentle"
    assert "dog" not in dict(found)
    assert dict(found).get("a", 0) < 0.5
    assert dict(found)["gentle"] > dict(found).get("rare", 0)


def test_that_a_set_alone_has_no_marking_words() -> None:
    assert marking_words(Counter({"a": 3}), Counter()) == []


def test_that_figures_and_plots_are_written(tmp_path: Path) -> None:
    analyse([PEOPLE, MACHINE], tmp_path)
    content = json.loads((tmp_path / FIGURES_FILE).read_text(encoding="utf-8"))
    assert set(content) == {"people", "machine"}
    assert next(iter(content["machine"]["marking"])) in ("gentle", "rhythmic")
    assert "dog" in content["people"]["frequent"]
    assert "the" not in content["people"]["frequent"]
    assert content["people"]["figures"]["MTLD mean"] > content["machine"]["figures"]["MTLD mean"]
    text = (tmp_path / REPORT_FILE).read_text(encoding="utf-8")
    for name in ("mtld-kde.png", "mtld-violin.png", "words-people.png", "words-machine.png"):
        picture = imread(tmp_path / name)
        assert picture.shape[0] > 300
        assert float(np.ptp(picture[:, :, :3])) > 0.5
        assert name in text


def test_that_one_value_alone_can_be_drawn(tmp_path: Path) -> None:
    plot_mtld_density([richness(CaptionSet("one", (("a dog barks",),)))], tmp_path / "one.png")
    assert (tmp_path / "one.png").stat().st_size > 1000


def test_that_sets_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="NAME=PATH"):
        analyse([PEOPLE, CaptionSet("People", MACHINE.captions)], tmp_path)


def test_that_captions_are_read_from_every_kind_of_file(tmp_path: Path) -> None:
    write_sound(tmp_path / "data" / "a.wav")
    write_sound(tmp_path / "data" / "b.wav")
    lines = [
        {"file": f"{n}.wav", "captions": [f"{n} one", f"{n} two"], "split": s}
        for n, s in (("a", "train"), ("b", "test"))
    ]
    write_manifest_lines(tmp_path / "data", lines)
    SyntheticFile(tmp_path / "new.jsonl").add(SyntheticCaptions("a", ("new one", "new two")))
    SyntheticFile(tmp_path / "new.jsonl").add(SyntheticCaptions("b", ()))
    (tmp_path / "list.txt").write_text("first line\n\nsecond line\n", encoding="utf-8")
    write_rows(tmp_path / "table.csv", ["id", "caption"], [["1", "told"], ["2", " "]])
    assert read_captions(str(tmp_path / "data")).captions == (("a one", "a two"), ("b one", "b two"))
    assert read_captions(str(tmp_path / "data"), split="test").captions == (("b one", "b two"),)
    assert read_captions(f"llm={tmp_path / 'new.jsonl'}") == CaptionSet("llm", (("new one", "new two"),))
    assert read_captions(str(tmp_path / "list.txt")).captions == (("first line",), ("second line",))
    assert read_captions(str(tmp_path / "table.csv")) == CaptionSet("table", (("told",),))
    header = ["youtube_id", "start_time", "caption"]
    write_rows(tmp_path / "caps.csv", header, [["x", "1", "one"], ["y", "1", "other"], ["x", "1", "two"]])
    assert read_captions(str(tmp_path / "caps.csv")).captions == (("one", "two"), ("other",))
    (tmp_path / "empty.txt").write_text("\n", encoding="utf-8")
    (tmp_path / "dots.txt").write_text("...\n!\n", encoding="utf-8")
    for name in ("empty.txt", "dots.txt"):
        with pytest.raises(DataError, match="no captions"):
            read_captions(str(tmp_path / name))
    (tmp_path / "other.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(DataError, match="Save them as UTF-8"):
        read_captions(str(tmp_path / "other.txt"))


def test_that_missing_packages_are_told_with_the_way_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "bertopic", None)
    captions = [f"caption number {number}" for number in range(60)]
    with pytest.raises(TopicError, match=r"earshot\[topics\]"):
        find_topics(captions, lambda texts: np.zeros((len(texts), 4), np.float32))
    with pytest.raises(TopicError, match="too few"):
        find_topics(captions[:10], lambda texts: np.zeros((len(texts), 4), np.float32))
    monkeypatch.setitem(sys.modules, "wordcloud", None)
    with pytest.raises(PlotError, match=r"earshot\[train\]"):
        analyse([PEOPLE], tmp_path)


def test_that_a_topic_map_is_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    of_caption = np.repeat(np.arange(-1, 30), 10)
    plane = (of_caption[:, None] + rng.normal(size=(310, 2))).astype(np.float32)
    topics = Topics(tuple(f"topic, {n}" for n in range(30)), tuple([10] * 30), of_caption, plane)
    plot_topics(topics, tmp_path / "map.png", title="test")
    assert float(np.ptp(imread(tmp_path / "map.png")[:, :, :3])) > 0.5


@pytest.mark.slow
def test_that_topics_are_found_where_the_packages_are() -> None:
    pytest.importorskip("bertopic", reason="the extra `topics` is not installed")
    pytest.importorskip("umap", reason="the extra `topics` is not installed")
    rng = np.random.default_rng(0)
    kinds = {"dogs": "dog barks puppy", "rain": "rain water drips", "cars": "car engine motor"}
    captions = [f"{words} {name} {number}" for name, words in kinds.items() for number in range(40)]
    centres = np.repeat(rng.normal(size=(3, 16)) * 5, 40, axis=0)
    vectors = (centres + rng.normal(size=(120, 16)) * 0.3).astype(np.float32)
    topics = find_topics(captions, lambda _: vectors)
    assert len(topics.names) == 3
    for begin in (0, 40, 80):
        assert len(set(topics.of_caption[begin : begin + 40].tolist()) - {-1}) == 1
    assert topics.plane.shape == (120, 2)


def test_that_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a dog barks\nrain falls on a roof", encoding="utf-8")
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)
    result = CliRunner().invoke(app, ["analyse", f"mine={tmp_path / 'a.txt'}", "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "mine: 2 captions, 7 words" in result.output
    assert (tmp_path / "out" / REPORT_FILE).is_file()
