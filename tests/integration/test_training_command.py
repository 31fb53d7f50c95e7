"""Training as it is typed: from a folder of sounds to a model that the program searches and describes with."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dying_training
import pytest
from dataset_layout import full_disk
from safetensors.torch import load_file
from small_sounds import write_small_set
from torch.testing import assert_close

from core.captioning.guess import FileCaptioner
from core.encoders.load import available_models
from core.library import Library, installed_captioner
from core.library.captioner import load_installed_captioner
from core.search.query import QuerySpec
from training.checkpoint import BAD_BATCH_FILE, BEST_FILE, FIGURES_FILE, LOG_FILE, STATE_FILE, load_state
from training.cli import main
from training.recipe import RECIPE_FILE

ROOT = Path(dying_training.__file__).resolve().parents[2]
RETRIEVAL = ("audio.shortest_s=1", "data.batch=8", "head.dimension=32", "loop.epochs=3", "loop.tensorboard=false")
CAPTIONING = (
    "data.batch=8",
    "audio.shortest_s=1",
    "words.least=1",
    "decoder.layers=1",
    "decoder.width=32",
    "decoder.hidden=32",
    "loop.epochs=3",
    "loop.precision=fp32",
    "loop.tensorboard=false",
)

Command = Callable[..., int]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sounds with captions, and nothing else told of them."""
    folder = write_small_set(tmp_path_factory.mktemp("sounds"))
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    told = [json.dumps({"file": line["file"], "captions": line["captions"]}) for line in lines]
    (folder / "manifest.jsonl").write_text("\n".join(told), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def command(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Give a command; get its exit code."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("EARSHOT_CACHE", str(cache))
    monkeypatch.delenv("EARSHOT_TEXTS", raising=False)

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return run


def settings(*changes: str) -> list[str]:
    return [part for change in changes for part in ("--set", change)]


def process(module: list[str], *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    own = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    command = [sys.executable, *module, *map(str, arguments)]
    return subprocess.run(command, env=own, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)


def log_of(run: Path) -> list[dict[str, str]]:
    with (run / LOG_FILE).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_that_sounds_with_captions_become_a_model_that_searches(
    sounds: Path, command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What docs/training.md tells a newcomer."""
    run, report = tmp_path / "runs" / "mine", tmp_path / "report"
    assert command("describe", sounds) == 0
    shrunken = settings("audio.shortest_s=1", "loop.epochs=6")
    assert command("train", "own", "--data", sounds, "--out", run, *shrunken) == 0
    rows = log_of(run)
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert list((run / "events").iterdir())
    assert command("evaluate", run, "--data", sounds) == 0
    assert command("report", tmp_path / "runs", "--out", report) == 0
    assert f"| mine | {sounds.name} | 1 |" in (report / "report.md").read_text(encoding="utf-8")
    assert (report / "report.png").is_file()
    assert command("export", run, "--data", sounds, "--name", "my-doors", "--description", "Of my doors.") == 0
    model = next(model for model in available_models() if model.card.id == "my-doors-1.0.0")
    assert model.card.description == "Of my doors."
    capsys.readouterr()
    assert command("evaluate", model.folder, "--data", sounds) == 0
    assert "one vector" in capsys.readouterr().out
    with Library.open(tmp_path / "library", model="my-doors", device="cpu") as library:
        for _ in library.index([sounds]):
            pass
        first = json.loads((sounds / "manifest.jsonl").read_text(encoding="utf-8").splitlines()[0])
        found = library.search(QuerySpec(text=first["captions"][0]).build(), limit=5, show_all=True)
        assert len(found.hits) == 5
        own = first["file"].rpartition("-")[0].rpartition("-")[0]
        assert any(Path(hit.path).name.startswith(own) for hit in found.hits)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "changes"),
    [("small/primus-stage1", RETRIEVAL), ("small/labbe", CAPTIONING)],
    ids=["retrieval", "captioning"],
)
def test_that_a_killed_run_goes_on_to_the_same_model_and_figures(
    recipe: str, changes: tuple[str, ...], sounds: Path, cache: Path, command: Command, tmp_path: Path
) -> None:
    told = ["train", recipe, "--data", sounds, *settings(*changes, "loop.save_every_steps=2")]
    whole, killed = tmp_path / "runs" / "whole", tmp_path / "runs" / "killed"
    assert command(*told, "--out", whole) == 0
    ended = process([dying_training.__file__, "2", "3"], *told, "--out", killed, EARSHOT_CACHE=str(cache))
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    state = load_state(killed / STATE_FILE)
    assert state is not None
    assert (state["position"]["epoch"], state["position"]["batch"]) == (2, 2)
    assert not (killed / FIGURES_FILE).exists()
    assert command(*told, "--out", killed) == 0
    for name in (LOG_FILE, BEST_FILE, FIGURES_FILE):
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.slow
def test_that_torchrun_with_two_processes_makes_the_model_of_one(
    sounds: Path, cache: Path, command: Command, tmp_path: Path
) -> None:
    changes = (*RETRIEVAL, "head.dropout=0", "loop.clip_norm=1.0")
    told = ["train", "small/primus-stage1", "--data", sounds, *settings(*changes)]
    one, two = tmp_path / "runs" / "one", tmp_path / "runs" / "two"
    assert command(*told, "--out", one) == 0
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "training"]
    done = process(torchrun, *told, "--out", two, "--device", "cpu", EARSHOT_CACHE=str(cache))
    assert done.returncode == 0, done.stderr
    for ours, theirs in zip(log_of(one), log_of(two), strict=True):
        assert float(theirs["loss"]) == pytest.approx(float(ours["loss"]), rel=1e-4)
    mine, shared = load_file(one / BEST_FILE), load_file(two / BEST_FILE)
    assert_close(shared, mine, rtol=1e-3, atol=1e-5)
    figures = [json.loads((run / FIGURES_FILE).read_text(encoding="utf-8")) for run in (one, two)]
    assert figures[1]["map_at_10"] == pytest.approx(figures[0]["map_at_10"], abs=0.02)


@pytest.mark.slow
def test_that_an_exported_captioner_describes_sounds_in_the_program(
    sounds: Path, command: Command, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "my captions"
    changes = (*CAPTIONING, 'held_out.recipe=""', "scenes.count=0", "scenes.an_epoch=0")
    assert command("train", "earshot-captioner", "--data", sounds, "--out", run, *settings(*changes)) == 0
    shipped = installed_captioner()
    assert command("export", run, "--data", sounds, "--name", "my-captions", "--description", "Says it my way.") == 0
    card = installed_captioner()
    assert card is not None
    assert shipped is not None
    assert (card.id, card.description) == ("my-captions-1.0.0", "Says it my way.")
    assert card.id != shipped.id
    with Library.open(tmp_path / "library", device="cpu") as library:
        described_by = library.captioner_card()
        assert described_by is not None
        assert described_by.id == card.id
    captioner: FileCaptioner = load_installed_captioner(device="cpu")
    guess = captioner.caption(next(sounds.glob("*.wav")))
    vocabulary = (tmp_path / "data" / "earshot" / "models" / card.id / "words.json").read_text(encoding="utf-8")
    words = set(json.loads(vocabulary)["words"])
    assert guess.text
    assert {word.strip(".,").lower() for word in guess.text.split()} <= words


def test_that_a_folder_with_a_run_of_another_recipe_stays_as_it_is(
    sounds: Path, command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["train", "small/primus-stage1", "--data", sounds, "--out", tmp_path / "run", *settings(*RETRIEVAL)]
    assert command(*told) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    capsys.readouterr()
    assert command(*told, "--set", "seed=1") == 2
    assert "seed is 0 there and not 1" in " ".join(capsys.readouterr().err.split())
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    assert command(*told, "--set", "description=The same by another name.") == 0
    assert (tmp_path / "run" / BEST_FILE).read_bytes() == before[BEST_FILE]
    assert command(*told, "--set", "seed=1", "--fresh") == 0
    assert "seed: 1" in (tmp_path / "run" / RECIPE_FILE).read_text(encoding="utf-8")
    assert (tmp_path / "run" / BEST_FILE).read_bytes() != before[BEST_FILE]


def test_that_a_loss_that_is_no_number_names_its_sounds(
    sounds: Path, command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["train", "small/primus-stage1", "--data", sounds, "--out", tmp_path / "run"]
    wild = settings(*RETRIEVAL, "loop.optimiser.learning_rate=1e38", "loop.clip_norm=null")
    assert command(*told, *wild) == 2
    assert "is saved in" in " ".join(capsys.readouterr().err.split())
    saved = load_state(tmp_path / "run" / BAD_BATCH_FILE)
    assert saved is not None
    names = {line["file"] for line in map(json.loads, (sounds / "manifest.jsonl").read_text().splitlines())}
    assert len(saved["items"]) == 8
    assert set(saved["items"]) <= names


def test_that_a_full_disk_is_one_sentence_and_the_run_goes_on_when_there_is_room(
    sounds: Path, command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["train", "small/primus-stage1", "--data", sounds, "--out", tmp_path / "run", *settings(*RETRIEVAL)]
    assert command(*told, "--out", tmp_path / "whole") == 0
    room = (tmp_path / "whole" / BEST_FILE).stat().st_size
    capsys.readouterr()
    with full_disk(after_bytes=room):
        assert command(*told) == 2
    said = capsys.readouterr().err
    assert "no space left" in " ".join(said.split())
    assert "Traceback" not in said
    assert not list((tmp_path / "run").glob("*.part"))
    assert command(*told) == 0
    assert (tmp_path / "run" / BEST_FILE).read_bytes() == (tmp_path / "whole" / BEST_FILE).read_bytes()
