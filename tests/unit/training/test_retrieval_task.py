"""What the retrieval task is made of: who matches whom, ragged frames, estimates, reports."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from training.data.dataset import Clip
from training.evaluate import CaptionQueries
from training.recipe import PaperRow, load_any, recipe_path, save_recipe
from training.retrieval.config import DataPart
from training.retrieval.evaluate import retrieval_report
from training.retrieval.material import MaterialError, learned_rows, number, read_generated
from training.retrieval.ragged import Ragged
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


def finished(folder: Path, seed: int, value: float, *, recipe: str = "mei/clotho-tuned-nt-xent") -> None:
    save_recipe(load_any(recipe_path(recipe), [f"seed={seed}"]), folder)
    figures = {"map_at_10": value, "recall_at_1": value / 2}
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
