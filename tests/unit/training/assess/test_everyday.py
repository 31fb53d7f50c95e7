from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rich.console import Console

from core.types import FloatArray
from training.assess.everyday import (
    precision_by_class,
    print_everyday,
    read_everyday,
    table_names,
    table_path,
    unpacked,
)
from training.data.dataset import Clip, DataError

_SCRIPT = Path(__file__).parents[4] / "packaging" / "fetch_outside.sh"
_WOOF, _TICK, _BARK = b"woof", b"tick", b"bark"


def _sound(path: str, content: bytes, kind: str) -> dict[str, str]:
    return {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "kind": kind}


def _facts() -> dict[str, Any]:
    return {
        "archive": "none",
        "classes": [
            {"name": "dog", "queries": ["a dog is barking", "the sound of a dog"]},
            {"name": "clock", "queries": ["a clock is ticking", "the sound of a clock"]},
        ],
        "packages": [
            {
                "package": "farm=1:2.0-1",
                "licence": "CC0",
                "sounds": [_sound("usr/woof.wav", _WOOF, "dog"), _sound("usr/tick.wav", _TICK, "clock")],
            },
            {
                "package": "town=3.0.1",
                "registry": "npm",
                "licence": "MIT",
                "sounds": [_sound("bark.ogg", _BARK, "dog")],
            },
        ],
    }


def _write(folder: Path, facts: dict[str, Any]) -> Path:
    path = folder / "outside.yaml"
    path.write_text(yaml.safe_dump(facts, sort_keys=False), encoding="utf-8")
    return path


def _lay(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


_WHOLE = {"farm/usr/woof.wav": _WOOF, "farm/usr/tick.wav": _TICK, "town/bark.ogg": _BARK}


@pytest.mark.parametrize(("name", "classes"), [("outside", 10), ("outside_second", 10), ("outside_third", 13)])
def test_that_a_table_of_the_project_names_each_sound_once_and_asks_every_class_alike(name: str, classes: int) -> None:
    table = read_everyday(table_path(name))
    assert len(table.classes) == classes
    assert {len(kind.queries) for kind in table.classes} == {3}
    queries = [query for kind in table.classes for query in kind.queries]
    assert len(set(queries)) == len(queries)


def test_that_no_sound_stands_in_two_tables_and_no_package_that_the_first_one_takes_in_another() -> None:
    assert table_names() == ("outside", "outside_second", "outside_third")
    first, *others = (read_everyday(table_path(name)) for name in table_names())
    for other in others:
        assert not {package.name for package in first.packages} & {package.name for package in other.packages}
    sums = [sound.sha256 for table in (first, *others) for package in table.packages for sound in package.sounds]
    assert len(set(sums)) == len(sums)


def test_that_a_table_is_known_by_its_path_too_and_an_unknown_one_is_told_with_those_that_are(tmp_path: Path) -> None:
    path = _write(tmp_path, _facts())
    assert table_path(str(path)) == path
    with pytest.raises(
        DataError, match=r"sounds inside\. Give a YAML file or one of: outside, outside_second, outside_third\."
    ):
        table_path("inside")


def test_that_unpacked_packages_give_clips_with_their_classes(tmp_path: Path) -> None:
    there = unpacked(read_everyday(_write(tmp_path, _facts())), _lay(tmp_path, _WHOLE))
    assert [clip.id for clip in there.found.clips] == list(_WHOLE)
    assert there.found.labels.tolist() == [0, 1, 0]
    assert there.found.owners.tolist() == [0, 0, 1, 1]
    assert there.missing == there.changed == ()


def test_that_missing_and_changed_files_are_left_out_by_name(tmp_path: Path) -> None:
    facts = _facts()
    facts["packages"][0]["sounds"].append(_sound("usr/howl.wav", b"howl", "dog"))
    folder = _lay(tmp_path, {**_WHOLE, "farm/usr/woof.wav": b"another dog"})
    there = unpacked(read_everyday(_write(tmp_path, facts)), folder)
    assert there.missing == ("farm/usr/howl.wav",)
    assert there.changed == ("farm/usr/woof.wav",)
    assert [clip.id for clip in there.found.clips] == ["farm/usr/tick.wav", "town/bark.ogg"]


def test_that_a_class_without_any_file_is_told_with_the_way_to_get_it(tmp_path: Path) -> None:
    folder = _lay(tmp_path, {"town/bark.ogg": _BARK})
    with pytest.raises(DataError, match=r"no sound of clock.*fetch_outside\.sh \S+ \S+outside\.yaml"):
        unpacked(read_everyday(_write(tmp_path, _facts())), folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda facts: facts["packages"][1]["sounds"].append(_sound("again.wav", _WOOF, "dog")), "comes twice"),
        (lambda facts: facts["packages"][1]["sounds"][0].update(kind="wolf"), "without a class.*wolf"),
        (lambda facts: facts["packages"][0]["sounds"].pop(1), "without sounds.*clock"),
        (lambda facts: facts["classes"][0]["queries"].pop(), "as many queries"),
        (lambda facts: facts["packages"][1].update(package="farm=1.0.0"), "package comes twice"),
        (lambda facts: facts["packages"][0].update(package="farm"), "NAME=VERSION of debian"),
        (lambda facts: facts["packages"][1].update(package="town=^3.0"), "NAME=VERSION of npm"),
        (lambda facts: facts["packages"][1].update(package="../town=3", registry="pypi"), "NAME=VERSION of pypi"),
        (lambda facts: facts["packages"][1].update(registry="cargo"), r"cannot be read: 1 .*\npackages\.1\.registry\n"),
    ],
)
def test_that_a_table_that_contradicts_itself_is_refused(tmp_path: Path, change: Any, told: str) -> None:
    facts = _facts()
    change(facts)
    with pytest.raises(DataError, match=told):
        read_everyday(_write(tmp_path, facts))


def test_that_the_printed_figures_are_those_of_the_scores_and_absences_are_told(tmp_path: Path) -> None:
    table = read_everyday(_write(tmp_path, _facts()))
    folder = _lay(tmp_path, {**_WHOLE, "farm/usr/woof.wav": _WOOF})
    facts_missing = _facts()
    facts_missing["packages"][1]["sounds"].append(_sound("gone.ogg", b"gone", "dog"))
    there = unpacked(read_everyday(_write(tmp_path, facts_missing)), folder)

    def scorer(texts: Sequence[str], clips: Sequence[Clip]) -> FloatArray:
        # The clock's second query takes the last dog for a clock; all else is right.
        return np.asarray([[0.9, 0.1, 0.8], [0.9, 0.1, 0.7], [0.1, 0.9, 0.2], [0.1, 0.6, 0.8]], np.float32)

    out = StringIO()
    print_everyday(Console(file=out, width=120), table, there, {"fake": scorer})
    rows = {line.split("│")[1].strip(): line.split("│")[2:4] for line in out.getvalue().splitlines() if "│" in line}
    assert [cell.strip() for cell in rows["mAP"]] == ["3", "0.8750"]
    assert [cell.strip() for cell in rows["zero-shot accuracy"]] == ["3", "0.8333"]
    assert [cell.strip() for cell in rows["mAP, clock"]] == ["1", "0.750"]
    assert out.getvalue().splitlines()[0].strip() == "outside", "says of which table the figures are"
    assert "not there: town/gone.ogg" in out.getvalue()
    assert precision_by_class(scorer((), ()), there.found) == [1.0, 0.75]


def test_that_the_script_keeps_named_files_and_licences_and_tells_which_package_it_could_not_have(
    tmp_path: Path,
) -> None:
    facts = _facts()
    farm, town = facts["packages"]
    facts["packages"] = [{**town, "package": "farm=2.0.0", "sounds": farm["sounds"]}, town]
    table = _write(tmp_path, facts)
    published = _lay(tmp_path / "town", {"bark.ogg": _BARK, "LICENSE": b"MIT", "index.js": b"", "more/woof.wav": _WOOF})
    with tarfile.open(tmp_path / "town.tgz", "w:gz") as archive:
        archive.add(published, arcname=".")
    # Called as `npm pack --silent --pack-destination FOLDER NAME@VERSION`; knows one package.
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f'#!/bin/sh\n[ "$5" = town@3.0.1 ] && cp "{tmp_path}/town.tgz" "$4"\n')
    npm.chmod(0o755)

    def fetch() -> tuple[int, list[str], str]:
        path = f"{npm.parent}{os.pathsep}{os.environ['PATH']}"
        command = ["sh", str(_SCRIPT), "fetched folder", table.name]
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout.split(), done.stderr

    told = "Not all of their sounds could be had: farm=2.0.0\n"
    assert fetch() == (1, ["farm=2.0.0", "town=3.0.1"], told)
    folder = tmp_path / "fetched folder"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"town/bark.ogg", "town/LICENSE"}
    assert fetch() == (1, ["farm=2.0.0"], told), "what is there is not fetched again"
    (folder / "town" / "bark.ogg").write_bytes(b"half a ba")
    assert fetch() == (1, ["farm=2.0.0", "town=3.0.1"], told)
    assert (folder / "town" / "bark.ogg").read_bytes() == _BARK
