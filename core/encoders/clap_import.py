"""Brings a CLAP checkpoint from a local folder into the user's models. Nothing is fetched and nothing is executed.

A checkpoint says nothing of how probable a match is at a given similarity. That is found out here: the bundled sample
sounds and their descriptions are embedded, and the log-odds of "of the same kind" are fitted on them. They are few and
synthetic; what is fitted is the model's scale, not its quality.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from core.audio.mono import read_mono
from core.config import RESOURCES, user_models_folder
from core.encoders.card import BACKGROUND_FILE, CARD_FILE, TOKENIZER_FILE, Calibration, LogisticFit, ModelCard
from core.encoders.clap import CONFIG_FILE, MODEL_FILE, PREPARATION_FILE, ClapEncoder
from core.encoders.relevance import Relevance
from core.errors import ModelError
from core.jobs import CancelToken, Event, Progress
from core.types import FloatArray

VERSION = "1.0.0"
_OLD_WEIGHTS = "pytorch_model.bin"
_WAY_OUT = "Choose a folder with a CLAP checkpoint as transformers saves it."
_NO_FIT = LogisticFit(score=0.0, surprise=1.5, bias=-4.5)
"""Where samples tell nothing: even odds at three deviations above the background."""
_NEWTON_STEPS = 30
_RIDGE = 1e-2


@dataclass(frozen=True, slots=True)
class Sample:
    """A bundled sound: where it lies, what kind it is of and how it is described."""

    path: Path
    kind: str
    descriptions: tuple[str, ...]


def import_clap(
    source: Path,
    *,
    name: str | None = None,
    target: Path | None = None,
    samples: tuple[Sample, ...] | None = None,
    cancel: CancelToken | None = None,
) -> Iterator[Event]:
    """A job: copy a checkpoint into the user's models, with a card, so that it can be chosen by `Library.open`.

    Args:
        source: The folder: config.json, model.safetensors (or pytorch_model.bin) and the tokenizer's files.
        name: For the model; made of the folder's name if None.
        target: Where models lie; the user's models if None.
        samples: Sounds to calibrate on; the bundled ones if None.
        cancel: Stops the job; nothing is left behind.

    Raises:
        CancelledError: The token was set.
        ModelError: The folder holds no such checkpoint, it is damaged, or a model has the name already.
    """
    cancel = cancel or CancelToken()
    samples = bundled_samples() if samples is None else samples
    name = _slug(name or source.resolve().name)
    folder = (target or user_models_folder()) / name
    if folder.exists():
        raise ModelError(f"There is a model named {name} already.", "Choose another name, or remove that model first.")
    partial = folder.with_name(f".{name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield Progress("import", 0, len(samples) + 1, str(source))
        _copy_files(source, partial)
        card = _card(name, partial, source, Calibration(text=_NO_FIT, clip=_NO_FIT), ())
        encoder = ClapEncoder(card, lambda file: (partial / file).read_bytes())
        sounds: list[FloatArray] = []
        for done, sample in enumerate(samples, start=1):
            cancel.check()
            sounds.append(encoder.embed_audio([read_mono(sample.path, sample_rate_hz=card.sample_rate_hz)])[0])
            yield Progress("import", done, len(samples) + 1, sample.path.name)
        background = np.stack(sounds)
        (partial / BACKGROUND_FILE).write_bytes(save({"embeddings": background.astype(np.float16)}))
        calibration = calibrate(samples, background, encoder.embed_text)
        card = _card(name, partial, source, calibration, (BACKGROUND_FILE,))
        (partial / CARD_FILE).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
        partial.replace(folder)
        yield Progress("import", len(samples) + 1, len(samples) + 1, name)
    except OSError as error:
        raise ModelError(f"The checkpoint cannot be imported: {error.strerror or error}.", _WAY_OUT) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def bundled_samples() -> tuple[Sample, ...]:
    """The sample sounds that ship with the program."""
    folder = RESOURCES / "samples"
    listed = json.loads((folder / "samples.json").read_text(encoding="utf-8"))["sounds"]
    return tuple(Sample(folder / one["path"], one["kind"], tuple(one["descriptions"])) for one in listed)


def calibrate(
    samples: tuple[Sample, ...], background: FloatArray, embed_text: Callable[[list[str]], FloatArray]
) -> Calibration:
    """Fit the log-odds of a match on sounds of known kinds.

    Args:
        samples: k sounds.
        background: (k, d) their embeddings.
        embed_text: Texts to (m, d).
    """
    kinds = np.array([sample.kind for sample in samples])
    plain = Relevance(Calibration(text=_NO_FIT, clip=_NO_FIT), background)
    described = [(text, sample.kind) for sample in samples for text in sample.descriptions[:1]]
    texts = embed_text([text for text, _ in described])
    by_text = [(query, background, kinds == kind) for query, (_, kind) in zip(texts, described, strict=True)]
    others = ~np.eye(len(samples), dtype=bool)
    by_clip = [
        (background[row], background[others[row]], (kinds == kinds[row])[others[row]]) for row in range(len(samples))
    ]
    return Calibration(text=_fitted(plain, by_text), clip=_fitted(plain, by_clip))


def _fitted(plain: Relevance, questions: list[tuple[FloatArray, FloatArray, Any]]) -> LogisticFit:
    """Logistic regression over similarity and surprise, by Newton's method with a small ridge."""
    features = np.concatenate([plain.features(query, sounds @ query) for query, sounds, _ in questions])
    matches = np.concatenate([match for _, _, match in questions]).astype(np.float64)
    if not 0 < matches.sum() < len(matches):
        return _NO_FIT
    scale = features.std(axis=0) + 1e-9
    inputs = np.concatenate([features / scale, np.ones((len(features), 1))], axis=1).astype(np.float64)
    # Matches are rare among samples and everywhere else; at even odds the fit must not say "never".
    weights = np.where(matches > 0, 1.0 / matches.sum(), 1.0 / (len(matches) - matches.sum())) * len(matches) / 2
    values = np.zeros(3)
    ridge = np.diag([_RIDGE, _RIDGE, 0.0]) * len(matches)
    for _ in range(_NEWTON_STEPS):
        chances = 1 / (1 + np.exp(-np.clip(inputs @ values, -30, 30)))
        slope = inputs.T @ (weights * (matches - chances)) - ridge @ values
        bend = (inputs * (weights * chances * (1 - chances))[:, None]).T @ inputs + ridge + 1e-9 * np.eye(3)
        values = values + np.linalg.solve(bend, slope)
    score, surprise = values[:2] / scale
    if not np.isfinite(values).all() or min(score, surprise) < 0 or max(score, surprise) == 0:
        return _NO_FIT
    return LogisticFit(score=float(score), surprise=float(surprise), bias=float(values[2]))


def _copy_files(source: Path, target: Path) -> None:
    """The checkpoint's files in the form that `core.encoders.clap` reads."""
    config = _json(source / CONFIG_FILE)
    if config.get("model_type") != "clap":
        raise ModelError(f"{source} holds no CLAP checkpoint: its config.json speaks of another model.", _WAY_OUT)
    (target / CONFIG_FILE).write_text(json.dumps(config), encoding="utf-8")
    (target / PREPARATION_FILE).write_text(json.dumps(_preparation(source, config)), encoding="utf-8")
    (target / TOKENIZER_FILE).write_text(_tokenizer(source), encoding="utf-8")
    if (source / MODEL_FILE).is_file():
        shutil.copyfile(source / MODEL_FILE, target / MODEL_FILE)
    elif (source / _OLD_WEIGHTS).is_file():
        _convert(source / _OLD_WEIGHTS, target / MODEL_FILE)
    else:
        raise ModelError(f"{source} holds no {MODEL_FILE}.", _WAY_OUT)


def _preparation(source: Path, config: dict[str, Any]) -> dict[str, Any]:
    path = source / PREPARATION_FILE
    fields = _json(path) if path.is_file() else {}
    # Some checkpoints are saved with the other one's way of cutting.
    fused = bool(config.get("audio_config", {}).get("enable_fusion", False))
    return {**fields, "truncation": "fusion" if fused else "rand_trunc"}


def _tokenizer(source: Path) -> str:
    path = source / TOKENIZER_FILE
    if path.is_file():
        return path.read_text(encoding="utf-8")
    if not (source / "vocab.json").is_file() or not (source / "merges.txt").is_file():
        raise ModelError(f"{source} holds no {TOKENIZER_FILE}.", _WAY_OUT)
    from transformers import RobertaTokenizerFast

    tokenizer = RobertaTokenizerFast.from_pretrained(str(source), local_files_only=True)
    definition: str = tokenizer.backend_tokenizer.to_str()
    return definition


def _convert(weights: Path, target: Path) -> None:
    import pickle

    import torch
    from safetensors.torch import save_file

    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ModelError(f"{weights} cannot be read as weights: {error}.", _WAY_OUT) from error
    save_file({key: value.contiguous().clone() for key, value in state.items()}, target)


def _card(name: str, folder: Path, source: Path, calibration: Calibration, extra: tuple[str, ...]) -> ModelCard:
    config = _json(folder / CONFIG_FILE)
    preparation = _json(folder / PREPARATION_FILE)
    part = {"name": "clap"}
    names = (CONFIG_FILE, PREPARATION_FILE, TOKENIZER_FILE, MODEL_FILE, *extra)
    try:
        return ModelCard.model_validate(
            {
                "id": f"{name}-{VERSION}",
                "name": name,
                "version": VERSION,
                "description": f"CLAP checkpoint, imported from the folder {source.resolve().name}.",
                "origin": "Imported; calibrated on the bundled sample sounds.",
                "data": [],
                "licence": "as of the imported checkpoint",
                "architecture": {"trunk": part, "text_tower": part, "audio_head": part, "text_head": part},
                "sample_rate_hz": preparation.get("sampling_rate", 48_000),
                "window_s": preparation.get("max_length_s", 10),
                "hop_s": preparation.get("max_length_s", 10) / 2,
                "dimension": config.get("projection_dim", 512),
                "files": {file: _record(folder / file) for file in names},
                "quality": {},
                "calibration": calibration,
                "seed": 0,
                "command": "earshot import-model",
            }
        )
    except (ValueError, TypeError) as error:
        raise ModelError(f"{source} holds a CLAP checkpoint of an unknown kind: {error}.", _WAY_OUT) from error


def _record(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _json(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path.parent} holds no {path.name}.", _WAY_OUT) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}.", _WAY_OUT) from error
    if not isinstance(fields, dict):
        raise ModelError(f"{path} is no configuration.", _WAY_OUT)
    return fields


def _slug(name: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not slug:
        raise ModelError(f"“{name}” cannot be a model's name.", "Give it one of letters and digits.")
    return slug
