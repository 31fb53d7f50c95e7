"""`earshot caption`, `models` and `import-model`."""

from __future__ import annotations

import pytest
from installed_model import NameCaptioner, NameCard, install_small_model
from typer.testing import CliRunner

from core.cli import app
from core.config import user_models_folder
from core.encoders.load import find_model
from core.errors import LibraryError
from core.library import captioning


@pytest.fixture
def run():
    def invoke(*arguments: object):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return invoke


def test_that_models_are_listed_with_the_one_that_describes(run, monkeypatch):
    install_small_model()
    monkeypatch.setattr("core.library.library.installed_captioner_card", NameCard)
    told = run("models")
    assert told.exit_code == 0
    assert find_model().card.id in told.output
    assert "earshot-small-1.0.0" in told.output
    assert "names-1.0.0  describes sounds" in told.output


def test_that_a_model_is_imported_and_then_used_by_name(run, tmp_path, sounds, library):
    library.close()
    install_small_model(name="my-own")
    folder = (user_models_folder() / "my-own-1.0.0").rename(tmp_path / "exported")
    assert run("import-model", folder).exit_code == 0
    assert "my-own-1.0.0" in run("models").output
    indexed = run("index", sounds, "--library", library.folder, "--model", "my-own", "--device", "cpu", "--jobs", 1)
    assert indexed.exit_code == 0
    found = run("search", "a dog", "--all", "--library", library.folder, "--model", "my-own")
    assert "dog.wav" in found.output


def test_that_sounds_are_described_and_one_of_them_anew(run, library, sounds, monkeypatch):
    library.close()
    # The bundled model is not needed here, only one that the library knows.
    monkeypatch.setattr("core.encoders.load.DEFAULT_MODEL", "earshot-small")
    monkeypatch.setattr(captioning, "load_installed_captioner", lambda *, device: NameCaptioner())
    monkeypatch.setattr(captioning, "installed_captioner_card", NameCard)
    assert run("caption", "--library", library.folder).exit_code == 0
    assert run("search", '"sound of dog"', "--library", library.folder).exit_code == 0
    anew = run("caption", sounds / "dog.wav", "--library", library.folder)
    assert anew.output.strip() == "the sound of dog"
    unknown = run("caption", sounds / "gone.wav", "--library", library.folder)
    assert isinstance(unknown.exception, LibraryError)
