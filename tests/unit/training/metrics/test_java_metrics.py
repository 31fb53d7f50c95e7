from __future__ import annotations

import ast
import csv
import logging
import sys
from pathlib import Path

import numpy as np
import pytest
from reference_parameters import shared_folder

from training.metrics.caption_report import evaluate_captions
from training.metrics.caption_score import CaptionScore
from training.metrics.java import JavaTool, MetricUnavailableError, find_meteor, find_spice, meteor, spice

CANDIDATES = ["a dog barks", "rain falls"]
REFERENCES = [["a dog", "the dog barks"], ["rain ||| falls"]]

# Speaks METEOR's protocol: a sentence's statistics are its number of references; scores are a tenth of them.
METEOR = """
import sys
for line in sys.stdin:
    parts = line.strip().split(" ||| ")
    if parts[0] == "SCORE":
        print(len(parts) - 2, flush=True)
    else:
        for part in parts[1:]:
            print(int(part) / 10)
        print(sum(map(int, parts[1:])) / 100, flush=True)
"""
# Reads and writes SPICE's files: scores the number of references, and does not know captions without the word "dog".
SPICE = """
import json, sys
items = json.load(open(sys.argv[4]))
answer = sys.argv[sys.argv.index("-out") + 1]
told = [{"image_id": i["image_id"], "scores": {"All": {"f": len(i["refs"]) / 10 if "dog" in i["test"] else "NaN"}}}
        for i in items]
json.dump(told[::-1], open(answer, "w"))
"""


def fake_java(folder: Path, body: str, version: str = "11.0.2") -> str:
    """An executable that answers like Java and runs `body`."""
    program = folder / "java"
    asks = f"import sys\nif '-version' in sys.argv:\n    sys.exit('openjdk version \"{version}\"')\n"
    program.write_text(f"#!{sys.executable}\n{asks}{body}")
    program.chmod(0o755)
    return str(program)


@pytest.fixture
def without_tools(monkeypatch, tmp_path):
    """A machine without Java and without jars."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EARSHOT_METRIC_JARS", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    return tmp_path


def test_that_a_missing_java_is_one_clear_line(without_tools):
    with pytest.raises(MetricUnavailableError) as caught:
        meteor(CANDIDATES, REFERENCES)
    assert str(caught.value) == "METEOR is left out: it needs Java, which is not installed."


def test_that_a_missing_jar_is_one_clear_line(without_tools):
    fake_java(without_tools, "")
    with pytest.raises(MetricUnavailableError, match=r"SPICE is left out: spice-1\.0\.jar is not in the folder"):
        spice(CANDIDATES, REFERENCES)


@pytest.mark.parametrize(("version", "told"), [("1.8.0_292", None), ("13", None), ("17.0.15", "this is Java 17")])
def test_that_spice_is_run_on_java_8_to_13_only(without_tools, version, told):
    java = fake_java(without_tools, "", version)
    (without_tools / "spice-1.0.jar").touch()
    if told is None:
        assert find_spice() == JavaTool(java, without_tools / "spice-1.0.jar")
    else:
        with pytest.raises(MetricUnavailableError, match=told):
            find_spice()


def test_that_the_jars_are_found_in_the_named_folder(without_tools):
    java = fake_java(without_tools, "")
    (without_tools / "meteor-1.5.jar").touch()
    assert find_meteor() == JavaTool(java, without_tools / "meteor-1.5.jar")


def test_that_meteor_is_asked_sentence_by_sentence(tmp_path):
    tool = JavaTool(fake_java(tmp_path, METEOR), tmp_path / "meteor-1.5.jar")
    score = meteor(CANDIDATES, REFERENCES, tool=tool)
    assert score.sentences.tolist() == [0.2, 0.1]
    assert score.corpus == 0.03


def test_that_spice_is_read_by_number_and_counts_the_unknown_as_zero(tmp_path):
    tool = JavaTool(fake_java(tmp_path, SPICE), tmp_path / "spice-1.0.jar")
    score = spice(CANDIDATES, REFERENCES, tool=tool)
    assert score.sentences.tolist() == [0.2, 0.0]
    assert score.corpus == pytest.approx(0.1)


@pytest.mark.parametrize("body", ["sys.exit(1)", "print('not a number')"])
def test_that_a_program_that_breaks_off_is_told(tmp_path, body):
    java = fake_java(tmp_path, body)
    with pytest.raises(MetricUnavailableError, match="METEOR broke off"):
        meteor(CANDIDATES, REFERENCES, tool=JavaTool(java, tmp_path / "meteor-1.5.jar"))
    with pytest.raises(MetricUnavailableError, match="SPICE broke off"):
        spice(CANDIDATES, REFERENCES, tool=JavaTool(java, tmp_path / "spice-1.0.jar"))


def test_that_the_reason_why_a_program_broke_off_is_told_in_one_line(tmp_path):
    java = fake_java(tmp_path, "sys.exit('Loading ...\\nError: Could not find the paraphrase table')")
    for run, name in ((meteor, "METEOR"), (spice, "SPICE")):
        with pytest.raises(MetricUnavailableError) as caught:
            run(CANDIDATES, REFERENCES, tool=JavaTool(java, tmp_path / "program.jar"))
        reason = "It said: Error: Could not find the paraphrase table"
        assert str(caught.value) == f"{name} broke off before it had scored all captions. {reason}"


@pytest.mark.corpus
@pytest.mark.slow
def test_that_meteors_own_program_scores_as_it_did_for_the_public_package():
    try:
        tool = find_meteor()
    except MetricUnavailableError as error:
        pytest.skip(str(error))
    path = shared_folder() / "golden" / "captioning-metrics-clotho-eval.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:100]
    score = meteor([row["cands"] for row in rows], [ast.literal_eval(row["mrefs"]) for row in rows], tool=tool)
    assert score.sentences == pytest.approx([float(row["meteor"]) for row in rows], abs=1e-6)


def test_that_the_rest_runs_where_java_is_missing(without_tools, caplog):
    with caplog.at_level(logging.WARNING):
        report = evaluate_captions(CANDIDATES, REFERENCES)
    assert set(report.scores) == {"bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider_d"}
    assert set(report.missing) == {"meteor", "spice", "sbert_sim", "fluency"}
    assert sorted(record.getMessage() for record in caplog.records) == sorted(report.missing.values())
    assert all("\n" not in line for line in report.missing.values())
    assert report.vocabulary == 5


def test_that_all_metrics_run_where_all_is_there():
    def constant(candidates, references):
        return CaptionScore.mean_of([0.5] * len(candidates))

    report = evaluate_captions(
        CANDIDATES,
        REFERENCES,
        encoder=lambda texts: np.ones((len(texts), 3)),
        fluency=lambda texts: np.array([0.0, 1.0]),
        run_meteor=constant,
        run_spice=constant,
    )
    assert not report.missing
    assert report.scores["fense"].sentences.tolist() == pytest.approx([1.0, 0.1])
    expected = (report.scores["cider_d"].sentences + 0.5) / 2 * np.array([1.0, 0.1])
    assert report.scores["spider_fl"].sentences.tolist() == pytest.approx(expected.tolist())
