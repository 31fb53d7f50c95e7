"""METEOR and SPICE, which exist as Java programs only.

Neither comes with Earshot. METEOR's jar lies in the package `pycocoevalcap` from PyPI; SPICE's is a download of its
authors (panderson.me/spice) with its models unpacked beside it, and runs on Java 8 to 13. The jars are looked for in
the folder that EARSHOT_METRIC_JARS names, then in an installed `pycocoevalcap`.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import tempfile
import textwrap
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.errors import KnownError
from training.metrics.caption_score import CaptionScore, References, check_captions

_FOLDER_VARIABLE = "EARSHOT_METRIC_JARS"
_METEOR_JAR = "meteor-1.5.jar"
_SPICE_JAR = "spice-1.0.jar"
_NEWEST_JAVA_FOR_SPICE = 13


class MetricUnavailableError(KnownError):
    """A metric needs something that is not on this machine."""


@dataclass(frozen=True, slots=True)
class JavaTool:
    """A Java program that can be run here.

    Attributes:
        java: The executable.
        jar: The program.
    """

    java: str
    jar: Path


def find_meteor() -> JavaTool:
    """Look for Java and METEOR's jar.

    Raises:
        MetricUnavailableError: One of them is missing; the message is one line that says which.
    """
    return JavaTool(_find_java("METEOR"), _find_jar("METEOR", _METEOR_JAR, "meteor"))


def find_spice() -> JavaTool:
    """Look for Java 8 to 13 and SPICE's jar.

    Raises:
        MetricUnavailableError: One of them is missing or Java is newer; the message is one line that says which.
    """
    java = _find_java("SPICE")
    jar = _find_jar("SPICE", _SPICE_JAR, "spice")
    version = _java_version(java)
    if version > _NEWEST_JAVA_FOR_SPICE:
        raise MetricUnavailableError(f"SPICE is left out: it runs on Java 8 to 13, and this is Java {version}.")
    return JavaTool(java, jar)


def _find_java(metric: str) -> str:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    java = java or shutil.which("java")
    if java is None:
        raise MetricUnavailableError(f"{metric} is left out: it needs Java, which is not installed.")
    return java


def _find_jar(metric: str, name: str, package_folder: str) -> Path:
    folders = []
    if os.environ.get(_FOLDER_VARIABLE):
        folders.append(Path(os.environ[_FOLDER_VARIABLE]))
    package = importlib.util.find_spec("pycocoevalcap")
    if package is not None and package.submodule_search_locations:
        folders.append(Path(next(iter(package.submodule_search_locations))) / package_folder)
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise MetricUnavailableError(f"{metric} is left out: {name} is not in the folder that {_FOLDER_VARIABLE} names.")


def _java_version(java: str) -> int:
    """Major version; 8 for "1.8"."""
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=60)
    match = re.search(r'version "(?:1\.)?(\d+)', told.stderr + told.stdout)
    if match is None:
        raise MetricUnavailableError(f"{java} does not tell its version.")
    return int(match.group(1))


def meteor(
    candidates: Sequence[str], references: References, *, tool: JavaTool | None = None, timeout_s: float = 900.0
) -> CaptionScore:
    """METEOR 1.5 for English (Denkowski and Lavie 2014), with normalisation as in the COCO caption evaluation.

    Raises:
        MetricUnavailableError: Java or the jar is missing, or the program broke off or took too long.
        ValueError: As `check_captions`.
    """
    check_captions(candidates, references)
    tool = tool or find_meteor()
    command = [tool.java, "-Xmx2G", "-jar", str(tool.jar), "-", "-", "-stdio", "-l", "en", "-norm"]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, text=True, encoding="utf-8"
        ) as process,
    ):
        watch = threading.Timer(timeout_s, process.kill)
        watch.start()
        try:
            statistics = [
                _ask(process, " ||| ".join(["SCORE", *map(_clean, group), _clean(candidate)]))
                for candidate, group in zip(candidates, references, strict=True)
            ]
            first = float(_ask(process, " ||| ".join(["EVAL", *statistics])))
            sentences = [first, *(float(_read(process)) for _ in candidates[1:])]
            corpus = float(_read(process))
        except (OSError, ValueError) as error:
            process.kill()
            process.wait()
            complaints.seek(0)
            raise _broken_off("METEOR", complaints.read()) from error
        finally:
            watch.cancel()
            process.kill()
            assert process.stdin is not None
            with suppress(OSError):
                # What a program that has broken off did not take may still lie in the pipe.
                process.stdin.close()
    return CaptionScore(corpus, CaptionScore.mean_of(sentences).sentences)


def _broken_off(metric: str, complaints: str) -> MetricUnavailableError:
    """One line, with the last thing that the program said of its trouble."""
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    reason = f" It said: {textwrap.shorten(lines[-1], 200)}" if lines else ""
    return MetricUnavailableError(f"{metric} broke off before it had scored all captions.{reason}")


def _clean(text: str) -> str:
    """One line without the program's own separator."""
    return " ".join(text.replace("|||", " ").split())


def _ask(process: subprocess.Popen[str], line: str) -> str:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return _read(process)


def _read(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise ValueError("the program gave no answer")
    return line


def spice(
    candidates: Sequence[str],
    references: References,
    *,
    tool: JavaTool | None = None,
    timeout_s: float = 3600.0,
    memory: str = "8G",
) -> CaptionScore:
    """SPICE (Anderson et al. 2016): agreement of the scene graphs of candidate and references, as an F-score.

    Raises:
        MetricUnavailableError: Java 8 to 13 or the jar is missing, or the program broke off or took too long.
        ValueError: As `check_captions`.
    """
    check_captions(candidates, references)
    tool = tool or find_spice()
    items = [
        {"image_id": number, "test": candidate, "refs": list(group)}
        for number, (candidate, group) in enumerate(zip(candidates, references, strict=True))
    ]
    with tempfile.TemporaryDirectory(prefix="earshot-spice-") as folder:
        given, answered = Path(folder) / "captions.json", Path(folder) / "scores.json"
        given.write_text(json.dumps(items), encoding="utf-8")
        cache = Path(folder) / "cache"
        cache.mkdir()
        command = [tool.java, f"-Xmx{memory}", "-jar", str(tool.jar), str(given), "-out", str(answered)]
        try:
            subprocess.run(
                [*command, "-cache", str(cache), "-subset"],
                cwd=tool.jar.parent,
                check=True,
                capture_output=True,
                timeout=timeout_s,
            )
            scores = json.loads(answered.read_text(encoding="utf-8"))
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            told = getattr(error, "stderr", None) or b""
            raise _broken_off("SPICE", told.decode("utf-8", errors="replace")) from error
    by_number = {int(item["image_id"]): item["scores"]["All"]["f"] for item in scores}
    # SPICE calls the score of a caption without any tuple "NaN"; such a caption says nothing and scores zero.
    figures = [float(by_number[number]) for number in range(len(candidates))]
    return CaptionScore.mean_of([0.0 if math.isnan(figure) else figure for figure in figures])
