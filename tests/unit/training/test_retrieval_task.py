"""What the retrieval task is made of: who matches whom, ragged frames, estimates, reports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.data.dataset import Clip, DataError
from training.evaluate import CaptionQueries
from training.measure import figures_of
from training.recipe import PaperRow, load_any, recipe_path, save_recipe
from training.retrieval.config import DataPart
from training.retrieval.evaluate import retrieval_report
from training.retrieval.material import MaterialError, learned_rows, number, read_generated
from training.retrieval.ragged import Ragged
from training.start import CLASS_LABELS_FILE, TextDataError, read_class_names
from training.table import ReportError, Row, collect, markdown, table_csv, write_report
from training.tasks.retrieval import Teachers


def clip(name: str, captions: tuple[str, ...], *, group: str = "", split: str = "train") -> Clip:
    return Clip(name, Path(f"{name}.wav"), captions, split, group=group)


CLIPS = (
    clip("a", ("dog", "bark"), group="g"),
    clip("b", ("dog",)),
    clip("c", ("rain",), group="g"),
    clip("d", ("wind",), split="valid"),
)


def test_that_same_words_and_same_group_match() -> None:
    material = number(CLIPS, np.asarray([0, 1, 2]), {}, augmented=False)
    captions = torch.tensor([material.texts.index(text) for text in ("bark", "dog", "rain")])
    clips = torch.tensor([0, 1, 2])
    assert material.belonging.matches(captions, clips, clips).tolist() == [
        [True, False, True],  # Clips a and c are of one group.
        [True, True, False],  # Both a and b are called a dog.
        [True, False, True],
    ]


def test_that_generated_captions_become_pairs_of_training_clips_only() -> None:
    written = {name: f"written {name}" for name in "abcd"}
    material = number(CLIPS, np.asarray([0, 1, 2]), written, augmented=True)
    assert [material.texts[row] for row in material.captions[1]] == ["dog", "written b"]
    assert [material.texts[row] for row in material.captions[3]] == ["wind"]
    assert [material.texts[row] for row in material.generated] == [f"written {name}" for name in "abcd"]


def test_that_a_part_of_the_clips_is_the_same_for_the_same_seed() -> None:
    first = learned_rows(CLIPS, DataPart(learned=2), 0)
    assert len(first) == 2
    assert learned_rows(CLIPS, DataPart(learned=2), 0).tolist() == first.tolist()
    assert set(first) <= {0, 1, 2}


def test_that_a_damaged_captions_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "captions.jsonl").write_text('{"id": "a"}\n')
    with pytest.raises(MaterialError, match=r"captions\.jsonl"):
        read_generated(tmp_path)


def test_that_captions_with_odd_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    lines = [json.dumps({"id": key, "caption": f"a dog\u2028barks {key}"}, ensure_ascii=False) for key in "ab"]
    (tmp_path / "captions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    assert read_generated(tmp_path) == {key: f"a dog\u2028barks {key}" for key in "ab"}


def test_that_class_names_are_read_from_a_table_with_a_byte_order_mark(tmp_path: Path) -> None:
    table = 'display_name,index\n"Dog, barking",0\nRain,1\n'
    (tmp_path / CLASS_LABELS_FILE).write_text(table, encoding="utf-8-sig")
    assert read_class_names(tmp_path) == ["Dog, barking", "Rain"]
    (tmp_path / CLASS_LABELS_FILE).write_text("name\nDog\n", encoding="utf-8")
    with pytest.raises(TextDataError, match="display_name"):
        read_class_names(tmp_path)


def test_that_a_split_of_any_data_set_can_be_measured() -> None:
    clips = [clip("a", ("dog",), split="test"), clip("b", ("rain",), split="test"), clip("c", ("dog",))]

    def scorer(texts: Sequence[str], sounds: Sequence[Clip]) -> np.ndarray:
        return np.asarray([[float(text in sound.captions) for sound in sounds] for text in texts], dtype=np.float32)

    found = figures_of(scorer, clips)
    assert (found.clips, found.queries, found.by_category) == (2, 2, {})
    assert found.figures["map_at_10"] == found.figures["a2t_recall_at_1"] == 1.0
    kinds = [replace(one, category=one.captions[0]) for one in clips]
    assert {name: own.queries for name, own in figures_of(scorer, kinds).by_category.items()} == {"dog": 1, "rain": 1}
    with pytest.raises(DataError, match="no clips of the split valid"):
        figures_of(scorer, clips, "valid")


def test_that_ragged_items_come_back_padded() -> None:
    rows = np.arange(12, dtype=np.float16).reshape(6, 2)
    ragged = Ragged(rows, np.asarray([1, 3, 2]))
    padded, mask = ragged.padded(np.asarray([2, 0, 1]))
    assert mask.tolist() == [[True, True, False], [True, False, False], [True, True, True]]
    assert padded[0, :2].tolist() == rows[4:].tolist()
    assert padded[1].tolist() == [[0, 1], [0, 0], [0, 0]]
    with pytest.raises(ValueError, match="counted"):
        Ragged(rows, np.asarray([1]))


def test_that_teachers_of_any_length_are_averaged_by_their_cosines() -> None:
    teachers = Teachers(
        (torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0], [1.0]])),
        (torch.tensor([[1.0, 1.0], [0.0, 3.0]]), torch.tensor([[5.0], [-2.0]])),
    )
    found = teachers.estimates(torch.tensor([0, 1]), torch.tensor([0, 1]))
    half = 0.5**0.5
    expected = [[(half + 1) / 2, (0 - 1) / 2], [(half + 1) / 2, (1 - 1) / 2]]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_that_figures_count_both_ways() -> None:
    """Two sounds with two captions each; one caption of the second sound prefers the first."""
    carried = np.asarray([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.bool_)
    scores = np.asarray([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.95]], dtype=np.float32)
    figures = retrieval_report(scores, CaptionQueries(("p", "q", "r", "s"), carried))
    assert figures["recall_at_1"] == 0.75
    assert figures["map_at_10"] == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert figures["a2t_recall_at_1"] == 1.0  # The best rank among a sound's captions.
    assert figures["recall_sum"] == pytest.approx(0.75 + 1 + 1 + 1 + 1 + 1)


def finished(
    folder: Path, seed: int, value: float, *, recipe: str = "mei/clotho-tuned-nt-xent", data: str | None = None
) -> None:
    save_recipe(load_any(recipe_path(recipe), [f"seed={seed}"]), folder)
    figures = {"map_at_10": value, "recall_at_1": value / 2, **({} if data is None else {"data": data})}
    (folder / "figures.json").write_text(json.dumps(figures), encoding="utf-8")


def test_that_a_report_joins_seeds_and_shows_the_papers_figures(tmp_path: Path) -> None:
    for seed, value in enumerate((0.2, 0.3, 0.4)):
        finished(tmp_path / f"run{seed}", seed, value)
    finished(tmp_path / "other", 0, 0.5, recipe="mei/clotho-tuned-triplet-sum")
    rows = collect([tmp_path])
    assert sorted(len(row.figures["map_at_10"]) for row in rows) == [1, 3]
    write_report(rows, tmp_path / "report", data="our sounds")
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "30.0 ± 10.0" in text
    assert "| 14.4 |" in text  # R@1 of the paper's row.
    assert "our sounds" in text
    assert "Clotho v2 evaluation" in text
    lines = (tmp_path / "report" / "report.csv").read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("run0,our sounds,recall_at_1,3,0.150000,0.050000,Mei et al. 2022") for line in lines)
    assert (tmp_path / "report" / "report.png").read_bytes()[:4] == b"\x89PNG"


def test_that_each_row_says_on_which_data_it_was_measured(tmp_path: Path) -> None:
    finished(tmp_path / "here" / "run", 0, 0.2, data="Clotho")
    finished(tmp_path / "there" / "run", 1, 0.4, data="doors")
    rows = collect([tmp_path])
    assert [(row.data, row.figures["map_at_10"]) for row in rows] == [("Clotho", [0.2]), ("doors", [0.4])]
    write_report(rows, tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "| run | Clotho | 1 | 20.0 |" in text
    assert "| run | doors | 1 | 40.0 |" in text
    assert "| everything |" in markdown(rows, data="everything")


def test_that_a_plot_has_a_bar_for_each_row_and_a_mark_for_the_papers(tmp_path: Path) -> None:
    from matplotlib.image import imread

    paper = PaperRow(paper="p", figures={"recall_at_1": 0.9})
    rows = [Row("same", {"recall_at_1": [0.2, 0.3]}, paper, "a"), Row("same", {"recall_at_1": [0.5]}, None, "b")]
    write_report(rows, tmp_path, data="")
    picture = imread(tmp_path / "report.png")[:, :, :3]

    def rows_of(colour: tuple[float, float, float]) -> np.ndarray:
        return np.flatnonzero((np.abs(picture - np.asarray(colour)) < 0.02).all(axis=2).any(axis=1))

    bars, marks = rows_of((0x5B / 255, 0x7F / 255, 0x95 / 255)), rows_of((0xB5 / 255, 0x55 / 255, 0x2B / 255))
    assert len(bars[1:][np.diff(bars) > 1]) == 1, "two bars, apart from each other"
    assert marks.min() < bars.max()


def test_that_ensembles_of_other_sizes_are_rows_of_their_own(tmp_path: Path) -> None:
    for name in ("primus/clotho-passt-m1", "primus/clotho-passt-m3"):
        finished(tmp_path / name.rpartition("/")[2], 0, 0.3, recipe=name)
    assert len(collect([tmp_path])) == 2


def test_that_a_folder_without_runs_is_told(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="no finished run"):
        collect([tmp_path])


def test_that_one_seed_has_no_spread() -> None:
    row = Row("it", {"map_at_10": [0.25]}, PaperRow(paper="p", row="r", data="d", figures={"map_at_10": 0.3}))
    assert "| 25.0 |" in markdown([row], data="x", shown=["map_at_10"])
    assert "it,x,map_at_10,1,0.250000,0.000000,p,d,0.3" in table_csv([row], data="x")
