from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from dataset_layout import write_manifest_lines, write_sound
from matplotlib.image import imread
from small_model import card_fields, small_parts
from typer.testing import CliRunner

from core.audio.frontend import PASST_LOG_MEL
from core.audio.mel_stream import MelBank
from core.encoders.assembly import save_dual_encoder
from training.data.dataset import Clip, DataError
from training.data.layout import load_dataset
from training.evaluate import caption_queries
from training.sheet import Answer, Find, answer_queries, draw_queries, register, spectrogram_png, write_sheet

APP = typer.Typer()
register(APP)
APP.command("other")(lambda: None)


class Page(HTMLParser):
    """Tags, texts and addresses of a page; every tag that is opened must be closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.sources: list[str] = []
        self.fitting = 0
        self.open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        own = dict(attrs)
        self.fitting += "fits" in (own.get("class") or "").split()
        self.sources += [value for name, value in attrs if name in ("src", "href") and value]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def clips(folder: Path) -> list[Clip]:
    captions = [("a dog", "both"), ("rain", "both"), ("a car",)]
    return [
        Clip(str(n), write_sound(folder / f"sound {n} #1.wav", seed=n), own, "test") for n, own in enumerate(captions)
    ]


def test_that_sounds_come_in_the_order_of_their_scores_and_fits_are_known(tmp_path: Path) -> None:
    own = clips(tmp_path)
    known = caption_queries(own)
    scores = np.asarray([[0.1, 0.9, 0.5], [0.3, 0.2, 0.1]], np.float32)
    both, free = answer_queries(["both", "something typed"], scores, own, known, found=2)
    assert [(find.clip.id, find.fits) for find in both.finds] == [("1", True), ("2", False)]
    assert both.first_fit == 1
    assert [find.fits for find in free.finds] == [None, None]
    assert free.first_fit is None
    last = answer_queries(["a dog"], scores[:1], own, known, found=2)[0]
    assert last.first_fit == 3


def test_that_drawn_queries_are_the_same_for_a_seed(tmp_path: Path) -> None:
    known = caption_queries(clips(tmp_path))
    assert draw_queries(known, count=2, seed=1) == draw_queries(known, count=2, seed=1)
    assert set(draw_queries(known, count=99, seed=1)) == set(known.texts)


def test_that_a_spectrogram_shows_pitch_upwards_and_time_to_the_right() -> None:
    rate = PASST_LOG_MEL.sample_rate_hz
    time_s = np.arange(rate) / rate
    sound = np.concatenate([np.sin(2 * np.pi * 300 * time_s), np.sin(2 * np.pi * 6000 * time_s)]).astype(np.float32)
    picture = imread(io.BytesIO(spectrogram_png(sound, MelBank(PASST_LOG_MEL))))[:, :, :3].sum(axis=2)
    assert picture.shape == (64, 200)
    low, high = (int(picture[:, columns].mean(axis=1).argmax()) for columns in (slice(10, 90), slice(110, 190)))
    assert low > 40
    assert high < 25


@pytest.mark.parametrize("samples", [np.zeros(32_000, np.float32), np.full(50, 0.1, np.float32)])
def test_that_silence_and_very_short_sounds_have_a_picture(samples: np.ndarray) -> None:
    assert imread(io.BytesIO(spectrogram_png(samples, MelBank(PASST_LOG_MEL)))).shape[0] == 64


def test_that_the_sheet_holds_all_it_shows_and_runs_nothing_that_files_say(tmp_path: Path) -> None:
    own = clips(tmp_path)
    evil = Clip("x", own[0].path, ('<script>alert(1)</script> & "more"',), "test", title="<b>title")
    elsewhere = Clip("y", write_sound(tmp_path.parent / f"{tmp_path.name} other" / "y.wav"), ("y",), "test")
    finds = (Find(evil, 0.5, True), Find(own[1], 0.4, False), Find(elsewhere, 0.3, None))
    write_sheet(
        [Answer("<i>query</i>", finds, 1), Answer("twice", finds[:1], None)],
        tmp_path / "s.html",
        title="T",
        lines=["l <"],
    )
    page = Page(tmp_path / "s.html")
    assert not {"script", "i"} & set(page.tags)
    assert '<script>alert(1)</script> & "more"' in page.texts
    assert "<i>query</i>" in page.texts
    assert page.fitting == 2
    assert page.sources[0] == "sound%200%20%231.wav"
    assert page.sources[2] == elsewhere.path.resolve().as_uri()
    text = (tmp_path / "s.html").read_text(encoding="utf-8")
    pictures = re.findall(r"url\(data:image/png;base64,([A-Za-z0-9+/=]+)\)", text)
    assert len(pictures) == 3
    assert all(imread(io.BytesIO(base64.b64decode(one))).shape[0] == 64 for one in pictures)
    assert "http" not in text


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    save_dual_encoder(tmp_path / "model", small_parts(), card_fields())
    return tmp_path / "model"


def test_that_the_command_makes_a_sheet_and_names_what_it_cannot_read(model_folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number in range(5):
        write_sound(data / f"{number}.wav", seed=number)
    (data / "4.wav").write_bytes(b"RIFF broken")
    lines = [{"file": f"{n}.wav", "captions": [f"dog {n}"], "split": "test", "id": f"id {n}"} for n in range(5)]
    write_manifest_lines(data, lines)
    out = tmp_path / "sheet.html"
    arguments = ["sheet", str(model_folder), str(data), "--out", str(out), "--count", "3", "--found", "2"]
    result = CliRunner().invoke(APP, arguments)
    assert result.exit_code == 0, result.output
    page = Page(out)
    assert page.tags.count("h2") == 3
    assert page.tags.count("audio") == 6
    assert any("4 sounds of data, split test; all 4 captions as queries: mAP@10" in text for text in page.texts)
    assert any("Left out: id 4" in text for text in page.texts)
    typed = CliRunner().invoke(APP, [*arguments, "--query", "dog bark"])
    assert typed.exit_code == 0, typed.output
    assert "dog bark" in Page(out).texts


def test_that_an_empty_split_and_unreadable_sounds_are_told(model_folder: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 16_000)
    (tmp_path / "a.wav").write_bytes(b"RIFF broken")
    write_manifest_lines(tmp_path, [{"file": "a.wav", "captions": ["x"], "split": "test"}])
    assert load_dataset(tmp_path).clips
    arguments = ["sheet", str(model_folder), str(tmp_path), "--out", str(tmp_path / "s.html")]
    for more, reason in ((["--split", "valid"], "no clips of the split valid"), ([], "Not one sound")):
        result = CliRunner().invoke(APP, [*arguments, *more])
        assert isinstance(result.exception, DataError)
        assert reason in str(result.exception)
    assert not (tmp_path / "s.html").exists()
