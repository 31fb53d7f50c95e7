"""The study's document: tables of what was measured, and whether each of the papers' findings shows.

Every figure and every verdict is computed from the runs. A finding "shows" when the difference of the means has the
paper's sign and is larger than the two standard errors of the difference taken together (one seed: it is told, not
judged).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.checkpoint import write_whole
from training.study import PARTS, TIME_FILE, TRIED, StudyRun, all_rows, part_rows
from training.table import TITLES, Row, markdown

BEGIN = "<!-- written by `make study`: do not edit between these lines -->"
END = "<!-- end of what `make study` writes -->"


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim of a paper, as a comparison of two rows.

    Attributes:
        part: Of the study.
        claim: In the paper's terms.
        better: The row that the paper finds better.
        other: The row that it is compared with.
        figure: By which.
        other_figure: Of the other row, where it is another one.
        published: What the paper says, with its figures.
        alike: The paper finds no difference.
        tried: What was changed, where the finding did not show as the paper has it.
    """

    part: str
    claim: str
    better: str
    other: str
    published: str
    figure: str = "map_at_10"
    alike: bool = False
    other_figure: str = ""
    tried: str = ""


_PERTURBED = (
    ("replace/BAT", ".768"),
    ("replace/seq2sup", ".825"),
    ("replace/sup2seq", ".903"),
    ("invert/BAT", ".892"),
    ("invert/seq", ".906"),
    ("invert/sup", ".778"),
)
"""Tests of a captioner with relations replaced or inverted, and the published accuracies on Clotho."""

FINDINGS = (
    Finding(
        "mei",
        "NT-Xent finds more than triplet-sum (batch 32)",
        "mei-nt-xent",
        "mei-triplet-sum",
        "frozen: AudioCaps R@1 19.2 against 17.2, Clotho 8.0 against 7.0",
        "recall_at_1",
    ),
    Finding(
        "mei",
        "NT-Xent finds more than triplet-max (batch 32)",
        "mei-nt-xent",
        "mei-triplet-max",
        "frozen: AudioCaps R@1 19.2 against 19.9 (not there), Clotho 8.0 against 7.9",
        "recall_at_1",
    ),
    Finding(
        "mei",
        "NT-Xent finds more than triplet-weighted (batch 32)",
        "mei-nt-xent",
        "mei-triplet-weighted",
        "frozen: AudioCaps R@1 19.2 against 19.9 (not there), Clotho 8.0 against 7.2",
        "recall_at_1",
    ),
    Finding(
        "mei",
        "triplet-max loses at batch 128",
        "mei-triplet-max",
        "mei-triplet-max-128",
        "AudioCaps, frozen: R@1 19.9 at 32, 11.8 at 128",
        "recall_at_1",
    ),
    Finding(
        "mei",
        "triplet-weighted loses at batch 128",
        "mei-triplet-weighted",
        "mei-triplet-weighted-128",
        "AudioCaps, frozen: R@1 19.9 at 32, 10.1 at 128",
        "recall_at_1",
    ),
    Finding(
        "mei",
        "NT-Xent does not mind batch 128",
        "mei-nt-xent",
        "mei-nt-xent-128",
        "AudioCaps, frozen: R@1 19.2 at 32, 19.5 at 128",
        "recall_at_1",
        alike=True,
    ),
    Finding(
        "mei",
        "triplet-sum does not mind batch 128",
        "mei-triplet-sum",
        "mei-triplet-sum-128",
        "AudioCaps, frozen: R@1 17.2 at 32, 17.0 at 128",
        "recall_at_1",
        alike=True,
    ),
    Finding(
        "primus",
        "estimated correspondences of three models help",
        "primus-stage2-m3",
        "primus-stage1",
        "Clotho, mAP@10: PaSST 28.93 to 31.25, ATST 28.26 to 31.01, MN 28.72 to 30.25",
    ),
    Finding(
        "primus",
        "self-distillation helps",
        "primus-stage2-m1",
        "primus-stage1",
        "Clotho, mAP@10: PaSST 28.93 to 30.18, ATST 28.26 to 29.83, MN 28.72 to 28.96",
    ),
    Finding(
        "primus",
        "three models help more than one",
        "primus-stage2-m3",
        "primus-stage2-m1",
        "Clotho, mAP@10: PaSST 31.25 against 30.18, ATST 31.01 against 29.83, MN 30.25 against 28.96",
    ),
    Finding(
        "primus",
        "it is the estimates and not the longer training (our control)",
        "primus-stage2-m3",
        "primus-stage2-none",
        "with WavCaps: 40.14 with estimates, 36.33 without",
    ),
    Finding(
        "tymofieiev",
        "the sigmoid loss does about as well as NT-Xent",
        "tymofieiev-nt-xent",
        "tymofieiev-sigmoid",
        "Clotho, PaSST, one run each, mAP@10: 30.16 against 29.99",
        alike=True,
    ),
    Finding(
        "tymofieiev",
        "a lower learning rate of the audio encoder helps",
        "tymofieiev-tuned-slower",
        "tymofieiev-tuned",
        "Clotho, ATST, mAP@10: 30.07 at 4e-6 against 27.65 at 2e-5",
    ),
    Finding(
        "tymofieiev",
        "text-aware pooling helps a little",
        "tymofieiev-tap",
        "tymofieiev-mean",
        "Clotho, ATST, mAP@10: 30.72 against 30.07",
    ),
    Finding(
        "xin-hci",
        "frames and words help",
        "xin-hci-fw",
        "xin-hci-cs",
        "AudioCaps: R@1 35.9 against 33.9",
        "recall_at_1",
    ),
    Finding(
        "xin-hci",
        "segments and phrases help",
        "xin-hci-sp",
        "xin-hci-cs",
        "AudioCaps: R@1 34.4 against 33.9",
        "recall_at_1",
    ),
    Finding(
        "xin-hci",
        "both together help most",
        "xin-hci-all",
        "xin-hci-cs",
        "AudioCaps: R@1 36.6 against 33.9",
        "recall_at_1",
    ),
    Finding(
        "xin-ac",
        "generated captions help as augmentation",
        "xin-ac-da",
        "xin-ac-none",
        "Clotho: R@1 15.1 against 14.4",
        "recall_at_1",
    ),
    Finding(
        "xin-ac",
        "feature interaction adds to that",
        "xin-ac-fi",
        "xin-ac-da",
        "Clotho: R@1 15.9 against 15.1",
        "recall_at_1",
    ),
    Finding(
        "xin-ac",
        "text-caption matching adds to that",
        "xin-ac-tcm",
        "xin-ac-fi",
        "Clotho: R@1 16.8 against 15.9",
        "recall_at_1",
    ),
    Finding(
        "xin-ac",
        "hierarchical interaction adds to that",
        "xin-ac-hci",
        "xin-ac-tcm",
        "Clotho: R@1 18.2 against 16.8",
        "recall_at_1",
    ),
    Finding(
        "labbe",
        "scaling each caption's losses makes audio-to-text work",
        "labbe",
        "labbe",
        "A2T R@1 with and without scaling: Clotho 14.8 against 3.8, AudioCaps 39.8 against 14.6",
        "a2t_recall_at_1",
        other_figure="a2t_unscaled_recall_at_1",
    ),
    Finding(
        "labbe",
        "scaling each caption's losses makes audio-to-text work",
        "labbe",
        "labbe",
        "the same, by the ten best",
        "a2t_recall_at_10",
        other_figure="a2t_unscaled_recall_at_10",
    ),
    Finding(
        "mei",
        "triplet-sum does not mind batch 128",
        "mei-triplet-sum",
        "mei-triplet-sum-128-faster",
        "",
        "recall_at_1",
        alike=True,
        tried="twice the learning rate for a quarter of the steps",
    ),
    Finding(
        "primus",
        "self-distillation helps",
        "primus-mlp-stage2-m1",
        "primus-stage1-mlp",
        "",
        tried="MLPs as heads, which leave a student more to change",
    ),
    Finding(
        "primus",
        "self-distillation helps, beside longer training",
        "primus-mlp-stage2-m1",
        "primus-mlp-stage2-none",
        "",
        tried="MLPs as heads",
    ),
    Finding(
        "primus",
        "it is the estimates and not the longer training (our control)",
        "primus-mlp-stage2-m3",
        "primus-mlp-stage2-none",
        "",
        tried="MLPs as heads",
    ),
    Finding(
        "tymofieiev",
        "text-aware pooling helps a little",
        "tymofieiev-tap-dropout",
        "tymofieiev-mean",
        "",
        tried="a dropout of .3 in the pooling",
    ),
    Finding(
        "tymofieiev",
        "a lower learning rate of the audio encoder helps",
        "tymofieiev-tuned-slower",
        "tymofieiev-tuned-faster",
        "",
        tried="a fifth of the heads' rate against five times it",
    ),
    Finding(
        "xin-hci",
        "both together help most",
        "xin-hci-all-whole",
        "xin-hci-cs-whole",
        "",
        "recall_at_1",
        tried="learning from all clips",
    ),
    Finding(
        "xin-hci",
        "frames and words help",
        "xin-hci-fw-whole",
        "xin-hci-cs-whole",
        "",
        "recall_at_1",
        tried="learning from all clips",
    ),
    Finding(
        "xin-hci",
        "segments and phrases help",
        "xin-hci-sp-whole",
        "xin-hci-cs-whole",
        "",
        "recall_at_1",
        tried="learning from all clips",
    ),
    Finding(
        "xin-ac",
        "generated captions help as augmentation",
        "xin-ac-da-whole",
        "xin-ac-none-whole",
        "",
        "recall_at_1",
        tried="learning from all clips",
    ),
    Finding(
        "xin-ac",
        "generated captions help as augmentation",
        "xin-ac-da-richer",
        "xin-ac-none",
        "",
        "recall_at_1",
        tried="captions of a captioner that has more to say",
    ),
    Finding(
        "xin-ac",
        "feature interaction adds to that",
        "xin-ac-fi-richer",
        "xin-ac-da-richer",
        "",
        "recall_at_1",
        tried="captions of a captioner that has more to say",
    ),
    Finding(
        "xin-ac",
        "text-caption matching adds to that",
        "xin-ac-tcm-richer",
        "xin-ac-fi-richer",
        "",
        "recall_at_1",
        tried="captions of a captioner that has more to say",
    ),
    Finding(
        "xin-ac",
        "hierarchical interaction adds to that",
        "xin-ac-hci-richer",
        "xin-ac-tcm-richer",
        "",
        "recall_at_1",
        tried="captions of a captioner that has more to say",
    ),
    Finding(
        "labbe",
        "scaling each caption's losses makes audio-to-text work",
        "labbe-scenes",
        "labbe-scenes",
        "",
        "a2t_recall_at_1",
        other_figure="a2t_unscaled_recall_at_1",
        tried="scenes of two clips in training as well",
    ),
)


def verdict(finding: Finding, better: Row, other: Row) -> str:
    """Whether a finding shows, by the seeds that both rows have."""
    first, second = better.spread(finding.figure), other.spread(finding.other_figure or finding.figure)
    if first is None or second is None:
        return "not measured"
    difference = first.mean - second.mean
    told = f"{100 * difference:+.1f} points"
    seeds = min(len(first.values), len(second.values))
    if seeds < 2:
        return f"{told}, one seed: not judged"
    error = math.sqrt(first.deviation**2 / len(first.values) + second.deviation**2 / len(second.values))
    clear = abs(difference) > 2 * error
    if finding.alike:
        return f"{told}: {'does not show, they differ' if clear else 'shows, no clear difference'}"
    if not clear:
        return f"{told}: does not show, no clear difference"
    return f"{told}: {'shows' if difference > 0 else 'the other way round'}"


def findings_table(rows: dict[str, Row], part: str) -> str:
    """The findings of a part, as Markdown; below them what was tried where one does not show."""
    own = [finding for finding in FINDINGS if finding.part == part]
    lines = ["| the paper finds | by | published | here | verdict |", "|---|---|---|---|---|"]
    lines += [_line(rows, finding, finding.published) for finding in own if not finding.tried]
    if any(finding.tried for finding in own):
        lines += ["", "| tried again | by | with | here | verdict |", "|---|---|---|---|---|"]
        lines += [_line(rows, finding, finding.tried) for finding in own if finding.tried]
    return "\n".join(lines) + "\n"


def _line(rows: dict[str, Row], finding: Finding, beside: str) -> str:
    better, other = rows.get(finding.better), rows.get(finding.other)
    title = TITLES.get(finding.figure, finding.figure)
    if better is None or other is None:
        return f"| {finding.claim} | {title} | {beside} | | not measured |"
    spreads = better.spread(finding.figure), other.spread(finding.other_figure or finding.figure)
    here = " against ".join(spread.told() if spread else "" for spread in spreads)
    return f"| {finding.claim} | {title} | {beside} | {here} | {verdict(finding, better, other)} |"


def perturbed_table(row: Row) -> str:
    """How often a captioner prefers the true caption to a perturbed one, as Markdown; one half is chance."""
    lines = ["| test | published, Clotho | here |", "|---|---|---|"]
    for name, published in _PERTURBED:
        spread = row.spread(name)
        lines.append(f"| {name} | {published} | {spread.told(percent=False) if spread else 'not measured'} |")
    return "\n".join(lines) + "\n"


def seconds_of(out: Path, names: Sequence[str]) -> float:
    """Wall-clock seconds of finished runs, as far as they were noted."""
    files = [out / f"seed{seed}" / name / TIME_FILE for seed in range(3) for name in names]
    return sum(float(json.loads(file.read_text(encoding="utf-8"))["seconds"]) for file in files if file.is_file())


def _minutes(out: Path, runs: Sequence[StudyRun]) -> str:
    return f"{seconds_of(out, [run.recipe for run in runs]) / 60:.0f} minutes"


def write_document(out: Path, document: Path) -> None:
    """Put the tables between the two marks of a document; what stands around them stays.

    Raises:
        KnownError: The document cannot be written.
    """
    rows = all_rows(out)
    parts = []
    for name, part in PARTS.items():
        own = part_rows(out, name)
        took = f"`make study PART={name}`: {_minutes(out, part.runs)}"
        if part.tried:
            took += f"; what was tried again, `PART={name}-{TRIED}`: {_minutes(out, part.tried)}"
        parts.append(f"## {part.title}\n\n{took}.\n")
        parts.append(markdown(own, data="the corpus") if own else "Not measured yet.\n")
        parts.append(findings_table(rows, name))
        if name == "labbe" and "labbe-scenes" in rows:
            parts.append(perturbed_table(rows["labbe-scenes"]))
    written = "\n".join([BEGIN, "", *parts, END])
    before, after = "", "\n"
    if document.is_file():
        text = document.read_text(encoding="utf-8")
        if BEGIN in text and END in text:
            before, _, rest = text.partition(BEGIN)
            after = rest.partition(END)[2]
    write_whole(document, (before + written + after).encode())


__all__ = ["FINDINGS", "Finding", "findings_table", "verdict", "write_document"]
