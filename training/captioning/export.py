"""From a trained captioner to a model folder that the program opens: confidence, kinds of sound, figures, card.

Shape legend: n clips, e clip embedding, k kinds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from core.captioning.card import CARD_FILE, WEIGHTS_FILE, WORDS_FILE, CaptionerCard, ConfidenceFit
from core.captioning.memory import CaptionMemory
from core.captioning.shipped import Evidence
from core.captioning.vocabulary import EOS
from core.captioning.writer import CaptionWriter, assemble_writer, read_words
from core.encoders.efficientat import MobileNetEncoder
from core.types import FloatArray
from training.captioning.evaluate import (
    SentenceModel,
    Told,
    fluency,
    judge,
    likenesses,
    nearest_captions,
    says_so,
    tell,
    template_captions,
    write_captions,
)
from training.captioning.material import CaptionMaterial, shipped_head
from training.captioning.order_judge import fit_on_validation
from training.checkpoint import write_whole
from training.data.licence import data_sources
from training.metrics.caption_report import CaptionReport
from training.recipe import RecipeError
from training.retrieval.encoder import Places
from training.tasks.captioning import CaptioningTask, decoder_options

_TRAIN = "python -m training train earshot-captioner --out RUN && python -m training export RUN --model MODEL"
_EVALUATE = "python -m training evaluate MODEL --data CORPUS"
_SHOWN_FROM = 0.4
"""The confidence from which on a sentence is shown in place of tags."""
_STEPS = 300
_WEIGHT_DECAY = 1e-4
_NO_CONFIDENCE = ConfidenceFit(log_probability=0.0, agreement=0.0, kind=0.0, bias=0.0, threshold=0.5)


@dataclass(frozen=True, slots=True)
class CaptionerReport:
    """How a captioner does on a split, beside the baselines.

    Attributes:
        told: What it says.
        reports: By whose captions they are: the metrics.
        says_so: (n,) whether each caption says what one of its references says.
        confidences: (n,) of each caption.
        threshold: From which on a sentence is shown.
    """

    told: Told
    reports: Mapping[str, CaptionReport]
    says_so: np.ndarray
    confidences: FloatArray
    threshold: float


CAPTIONER = "captioner"
NEAREST = "caption of the nearest training clip"
TEMPLATE = "class names in a template"


def report(
    writer: CaptionWriter,
    fit: ConfidenceFit,
    material: CaptionMaterial,
    class_names: Sequence[str],
    *,
    split: str = "test",
) -> CaptionerReport:
    """All figures of captions on a split."""
    rows, sentences = material.rows(split), SentenceModel()
    told = tell(writer, material, rows)
    texts = {
        CAPTIONER: told.texts,
        NEAREST: nearest_captions(material, rows),
        TEMPLATE: template_captions(material, rows, class_names),
    }
    return CaptionerReport(
        told,
        {name: judge(own, material, rows, sentences) for name, own in texts.items()},
        says_so(likenesses(told.texts, material, rows, sentences)),
        np.asarray([evidence.confidence(fit) for evidence in told.evidence], dtype=np.float32),
        fit.threshold,
    )


def export(
    task: CaptioningTask, class_names: Sequence[str], folder: Path, places: Places
) -> tuple[CaptionerCard, CaptionerReport]:
    """Fit kinds, confidence and the judgement of order, measure, and write a model folder; the card comes last.

    Args:
        task: Trained, with a prefixed decoder.
        class_names: Of the tagger, in its order.
        folder: For the model.
        places: Where the material lies.

    Raises:
        RecipeError: The recipe has no identity, or another decoder.
    """
    recipe, material = task.recipe, task.material
    if recipe.identity is None or recipe.decoder.name != "prefixed-transformer" or material.head is None:
        raise RecipeError(
            "Only a captioner with a prefixed decoder and an identity can be exported.",
            "Set decoder.name to prefixed-transformer and fill in identity.",
        )
    kinds, names = fit_kinds(material)
    told = {"words": material.vocabulary.words, "classes": list(class_names), "kinds": names}
    words_file = json.dumps(told, ensure_ascii=False, indent=0).encode()
    memory = None
    if recipe.writing.memory.share:
        memory = remember(_draft(task, {WEIGHTS_FILE: _weights(task, kinds), WORDS_FILE: words_file})[1], material)
    contents = {WEIGHTS_FILE: _weights(task, kinds, memory), WORDS_FILE: words_file}
    fields, writer = _draft(task, contents, memory)
    fit = fit_confidence(writer, material)
    found = report(writer, fit, material, class_names)
    order = None
    if recipe.scenes.count:
        order = fit_on_validation(recipe, places, material, writer.decoder, writer.vocabulary)
    card = CaptionerCard.model_validate({**fields, "confidence": fit, "order": order, "quality": _quality(found)})
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_whole(folder / name, content)
    write_whole(folder / CARD_FILE, (card.model_dump_json(indent=2) + "\n").encode())
    return card, found


def remember(writer: CaptionWriter, material: CaptionMaterial) -> CaptionMemory:
    """The clips that are learned from, each with what a captioner without a memory says of it."""
    rows = material.learned
    captions = [best[0].tokens for best in write_captions(writer, material, rows)]
    # What was broken off is nothing to say again.
    whole = [number for number, tokens in enumerate(captions) if tokens and tokens[-1] == EOS]
    placed = material.whole_clips()[rows[whole]]
    said = [captions[number] for number in whole]
    memory = CaptionMemory(sounds=len(said), dimension=placed.shape[1], longest=max(map(len, said)))
    memory.learn(placed, said)
    return memory


def fit_kinds(material: CaptionMaterial) -> tuple[nn.Linear, list[str]]:
    """A linear classifier from clip embeddings (n, e) to the categories of the training clips, and their names."""
    clips = [material.clips[row] for row in material.learned]
    names = sorted({clip.category for clip in clips})
    inputs = material.whole_clips()[material.learned]
    targets = torch.tensor([names.index(clip.category) for clip in clips])
    layer = nn.Linear(inputs.shape[1], len(names))
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=_WEIGHT_DECAY)
    for step in range(_STEPS):
        optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / _STEPS)
        loss = cross_entropy(layer(inputs), targets)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    return layer.eval(), names


def fit_confidence(writer: CaptionWriter, material: CaptionMaterial, *, split: str = "valid") -> ConfidenceFit:
    """A logistic regression from a caption's evidence to whether it says what a reference says, on a split."""
    rows = material.rows(split)
    told = tell(writer, material, rows)
    right = says_so(likenesses(told.texts, material, rows, SentenceModel()))
    inputs = torch.tensor([_numbers(evidence) for evidence in told.evidence], dtype=torch.float64)
    targets = torch.from_numpy(right).double()
    weights = torch.zeros(inputs.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(inputs @ weights + bias, targets)
        loss = loss + _WEIGHT_DECAY * weights.square().sum()
        torch.autograd.backward(loss)
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    log_probability, agreement, kind = weights.detach().tolist()
    return ConfidenceFit(
        log_probability=log_probability,
        agreement=agreement,
        kind=kind,
        bias=float(bias.detach()),
        threshold=_SHOWN_FROM,
    )


def _numbers(evidence: Evidence) -> tuple[float, float, float]:
    return evidence.log_probability, evidence.agreement, evidence.kind


def _draft(
    task: CaptioningTask, contents: Mapping[str, bytes], memory: CaptionMemory | None = None
) -> tuple[dict[str, Any], CaptionWriter]:
    """Fields of the card that are known before anything is measured, and the captioner as the program will open it."""
    fields = _card_fields(task, contents, memory)
    draft = CaptionerCard.model_validate({**fields, "confidence": _NO_CONFIDENCE, "quality": {}})
    words = read_words(draft, contents[WORDS_FILE])
    return fields, assemble_writer(draft, words, contents[WEIGHTS_FILE], device="cpu")


def _weights(task: CaptioningTask, kinds: nn.Linear, memory: CaptionMemory | None = None) -> bytes:
    encoder, head = task.material.encoder, task.material.head
    assert isinstance(encoder, MobileNetEncoder)  # The recipe has been checked.
    assert head is not None  # `export` has checked.
    parts: dict[str, nn.Module] = {"trunk": encoder.trunk, "head": head, "decoder": task.decoder, "kinds": kinds}
    if memory is not None:
        parts["memory"] = memory
    state: dict[str, Tensor] = {}
    for prefix, module in parts.items():
        for name, value in module.state_dict().items():
            halved = value.detach().cpu().half() if value.is_floating_point() else value.detach().cpu()
            if not bool(torch.isfinite(halved).all()):
                raise ValueError(f"{prefix}.{name} does not fit into half precision")
            state[f"{prefix}.{name}"] = halved.contiguous()
    return save(state)


def _card_fields(task: CaptioningTask, contents: Mapping[str, bytes], memory: CaptionMemory | None) -> dict[str, Any]:
    recipe, material = task.recipe, task.material
    identity = recipe.identity
    assert identity is not None  # `export` has checked.
    return {
        **identity.model_dump(),
        "id": f"{identity.name}-{identity.version}",
        "data": [
            *recipe.starts_from,
            *data_sources([material.clips[row] for row in material.learned], what="Described sounds of free projects"),
        ],
        "architecture": {
            "trunk": {"name": recipe.audio.encoder, "options": recipe.audio.options},
            "audio_head": shipped_head()[0].model_dump(),
            "decoder": {"name": recipe.decoder.name, "options": decoder_options(recipe, material)},
            "memory": None if memory is None else {"name": "known-sounds", "options": memory.sizes},
        },
        "sample_rate_hz": material.encoder.sample_rate_hz,
        "window_s": recipe.audio.seconds,
        "shortest_s": recipe.audio.shortest_s,
        "writing": recipe.writing.model_dump(),
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in contents.items()
        },
        "seed": recipe.seed,
        "command": _TRAIN,
    }


def _quality(found: CaptionerReport) -> dict[str, dict[str, Any]]:
    figures: dict[str, tuple[float, str]] = {}
    for label, key in (("", CAPTIONER), ("_nearest", NEAREST), ("_template", TEMPLATE)):
        scores = found.reports[key].scores
        for name in ("cider_d", "spider", "rouge_l", "sbert_sim"):
            if name in scores:
                figures[f"test_{name}{label}"] = (scores[name].corpus, key)
    counted = fluency(found.told.texts)
    sure = found.confidences >= found.threshold
    figures |= {
        "test_words": (counted.words, "distinct words over the test split"),
        "test_repeating": (counted.repeating, "captions with a content word twice"),
        "test_unfinished": (counted.unfinished, "captions that end with an open word"),
        "test_right": (float(found.says_so.mean()), "captions that say what a reference says"),
        "test_sure": (float(sure.mean()), "captions shown as a sentence"),
        "test_right_when_sure": (float(found.says_so[sure].mean()) if sure.any() else 0.0, "of these"),
        "test_right_when_unsure": (float(found.says_so[~sure].mean()) if (~sure).any() else 0.0, "of the others"),
    }
    return {
        name: {"value": round(float(value), 4), "command": _EVALUATE, "note": note}
        for name, (value, note) in figures.items()
    }
