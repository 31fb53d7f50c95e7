"""The heads of a run: built by its recipe, started without training, and at the end joined with where they started.

Shape legend: n sounds, q texts, c AudioSet classes, l trained vector, j both scores' part of the embedding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from core.encoders.blended_head import BlendedAudioHead, BlendedTextHead
from core.encoders.card import ModuleSpec
from core.encoders.head import create_audio_head, create_text_head
from core.encoders.profile_head import ProfileAudioHead, ProfileTextHead
from core.encoders.timbre import TimbreHead
from core.types import FloatArray
from training.cluster import group_means, spherical_means
from training.config import BlendConfig, HeadConfig, Recipe
from training.data.feature import TrunkFeatures
from training.recipe import RecipeError
from training.start import profile_basis
from training.tasks.profile import TrainingSet, as_tensor
from training.timbre import timbre_map

_TRAINED, _BLENDED = "profile", "blended"
"""Names of the heads in `core.encoders.head`."""
_BATCH = 4096
# Where the joint map is fitted: texts count more than sounds, of which there are fewer; training sounds are all near,
# so the untrained score's share that a sound a little way off has is put in.
_TEXT_WEIGHT = 0.8
_SOUND_SHARE = 0.3


def head_specs(recipe: Recipe, *, trunk_dimension: int, classes: int, sentence: int) -> tuple[ModuleSpec, ModuleSpec]:
    """What builds a finished run's heads for sounds and texts; goes onto the card.

    Raises:
        RecipeError: The timbre's inputs are not there, or it leaves nothing for texts.
    """
    audio = _audio_options(recipe.head, trunk_dimension=trunk_dimension, classes=classes)
    text = _text_options(recipe.head, classes=classes, sentence=sentence)
    if recipe.blend is None:
        return ModuleSpec(name=_TRAINED, options=audio), ModuleSpec(name=_TRAINED, options=text)
    blend, dimension = recipe.blend, recipe.head.dimension
    sounds: dict[str, Any] = blend.model_dump(include={"centres", "embedding_dimension", "far", "near"})
    texts: dict[str, Any] = blend.model_dump(include={"unnamed", "named"})
    sounds |= {"learned": audio, "dimension": dimension, "most": blend.sound_most}
    texts |= {"learned": text, "dimension": dimension, "least": blend.text_least, "most": blend.text_most}
    texts["phrases"] = True
    if blend.known is not None:
        own = blend.known
        sounds["known"] = {"texts": own.levels, "temperature": own.level_temperature}
        texts["known"] = {"texts": own.texts, "temperature": own.text_temperature}
    if blend.timbre is not None:
        if max(end for _, end in blend.timbre.inputs) > trunk_dimension or blend.timbre.dimension >= dimension:
            raise RecipeError(
                f"A timbre of {blend.timbre.dimension} numbers from {blend.timbre.inputs} does not fit a trunk of "
                f"{trunk_dimension} and an embedding of {dimension}.",
                "Set blend.timbre to other ranges of inputs, or to fewer numbers.",
            )
        sounds["timbre"] = blend.timbre.model_dump(mode="json")
        texts["timbre"] = blend.timbre.dimension
    return ModuleSpec(name=_BLENDED, options=sounds), ModuleSpec(name=_BLENDED, options=texts)


def _audio_options(config: HeadConfig, *, trunk_dimension: int, classes: int) -> dict[str, Any]:
    own = config.model_dump(include={"dimension", "hidden", "power", "dropout", "input_dropout", "input_limit"})
    return {"trunk_dimension": trunk_dimension, "classes": classes, **own}


def _text_options(config: HeadConfig, *, classes: int, sentence: int) -> dict[str, Any]:
    own = config.model_dump(include={"dimension", "hidden", "temperature", "dropout"})
    return {"classes": classes, "sentence_dimension": sentence, **own}


def create_heads(
    config: HeadConfig, *, trunk_dimension: int, class_names: Tensor
) -> tuple[ProfileAudioHead, ProfileTextHead]:
    """New heads for sounds and texts, to be trained, not started yet."""
    classes, sentence = class_names.shape
    return (
        ProfileAudioHead(**_audio_options(config, trunk_dimension=trunk_dimension, classes=classes)),
        ProfileTextHead(**_text_options(config, classes=classes, sentence=sentence)),
    )


def finished_heads(recipe: Recipe, *, trunk_dimension: int, class_names: Tensor) -> tuple[nn.Module, nn.Module]:
    """Heads like those of a finished run, without its weights."""
    classes, sentence = class_names.shape
    audio, text = head_specs(recipe, trunk_dimension=trunk_dimension, classes=classes, sentence=sentence)
    return create_audio_head(audio.name, **audio.options), create_text_head(text.name, **text.options)


def start_heads(
    audio: ProfileAudioHead, text: ProfileTextHead, data: TrainingSet, class_names: Tensor, dimension: int
) -> None:
    """Give new heads their training-free start, from what is learned from."""
    profiles = torch.cat([data.profiles, data.extra_profiles]).numpy()
    basis = as_tensor(profile_basis(profiles, dimension))
    seen = torch.cat([data.embeddings[0], data.logits[0]], dim=1)
    audio.set_start(basis=basis, mean=seen.mean(dim=0), scale=seen.std(dim=0) + 1e-3)
    text.set_start(basis=basis, class_names=class_names)


@torch.inference_mode()
def finish_heads(
    audio: nn.Module,
    text: nn.Module,
    data: TrainingSet,
    recipe: Recipe,
    *,
    worn: tuple[TrunkFeatures, TrunkFeatures],
) -> tuple[nn.Module, nn.Module]:
    """What a run keeps of its trained heads: the heads themselves or, by the recipe, a blend.

    Args:
        audio: Trained, for sounds.
        text: Trained, for texts.
        data: What was learned from.
        recipe: The run's.
        worn: Some of what was learned from as it is, and worn copies of it.

    Raises:
        RecipeError: There are fewer clips than centres or fewer captions than known texts, or the timbre does not fit.
    """
    if recipe.blend is None:
        return audio, text
    trunk_dimension = data.embeddings[0].shape[1]
    assert isinstance(text, ProfileTextHead)  # `create_heads` has made it.
    sounds, texts = finished_heads(recipe, trunk_dimension=trunk_dimension, class_names=text.class_names)
    assert isinstance(sounds, BlendedAudioHead)
    assert isinstance(texts, BlendedTextHead)
    sounds.learned.load_state_dict(audio.state_dict())
    texts.learned.load_state_dict(text.state_dict())
    sounds.set_centres(*_centres(data.embeddings[0], recipe.blend, seed=recipe.seed))
    if sounds.timbre is not None:
        _set_timbre(sounds.timbre, data.embeddings[0], worn)
    assert texts.reader is not None  # `head_specs` asks for it.
    texts.reader.set_phrases(data.class_phrases, data.extra_sentences if len(data.extra_sentences) else data.sentences)
    joint = _joint_map(sounds.eval(), texts.eval(), data)
    sounds.blend.set_map(joint)
    texts.blend.set_map(joint)
    if sounds.level is not None and texts.echo is not None:
        sentences = normalize(data.sentences, dim=-1)
        vectors = torch.cat([texts.joined(part) for part in torch.split(sentences, _BATCH)])
        texts.echo.set_texts(*_known_texts(sentences, vectors, len(texts.echo.vectors), seed=recipe.seed))
        _, levels = _known_texts(sentences, vectors, len(sounds.level.vectors), seed=recipe.seed)
        sounds.level.set_texts(levels, torch.cat([sounds.joined(*part) for part in _trunk_batches(data)]))
    return sounds, texts


def _known_texts(sentences: Tensor, vectors: Tensor, count: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Means of captions that read alike: of their sentences (k, s) at unit length, and of their vectors (k, j).

    Raises:
        RecipeError: There are fewer captions.
    """
    if len(sentences) < count:
        raise RecipeError(f"{len(sentences)} captions make no {count} known texts.", "Set blend.known lower.")
    centres, owner = spherical_means(sentences.numpy(), count, rng=np.random.default_rng(seed))
    meant, empty = group_means(vectors.numpy(), owner, count)
    # A group that has lost all captions to one like it is still where one of them was.
    meant[empty] = vectors.numpy()[(centres[empty] @ sentences.numpy().T).argmax(axis=1)]
    return as_tensor(centres), as_tensor(meant)


def _centres(embeddings: Tensor, blend: BlendConfig, *, seed: int) -> tuple[Tensor, Tensor]:
    if len(embeddings) < blend.centres:
        raise RecipeError(f"{len(embeddings)} clips have no {blend.centres} centres.", "Set blend.centres lower.")
    own = embeddings[:, : blend.embedding_dimension]
    mean = own.mean(dim=0)
    centres, _ = spherical_means(normalize(own - mean, dim=-1).numpy(), blend.centres, rng=np.random.default_rng(seed))
    return mean, as_tensor(centres)


def _set_timbre(timbre: TimbreHead, embeddings: Tensor, worn: tuple[TrunkFeatures, TrunkFeatures]) -> None:
    timbre.set_inputs(mean=embeddings.mean(dim=0), scale=embeddings.std(dim=0) + 1e-3)
    originals, copies = (timbre.seen(as_tensor(features.embedding)).numpy() for features in worn)
    weight, bias = timbre_map(timbre.seen(embeddings).numpy(), originals, copies, dimension=timbre.dimension)
    timbre.set_map(weight=as_tensor(weight), bias=as_tensor(bias))


def _trunk_batches(data: TrainingSet) -> Iterator[tuple[Tensor, Tensor]]:
    """What the trunk says of all sounds, (b, e) and (b, c) at a time."""
    return zip(torch.split(data.embeddings[0], _BATCH), torch.split(data.logits[0], _BATCH), strict=True)


def _joint_map(sounds: BlendedAudioHead, texts: BlendedTextHead, data: TrainingSet) -> Tensor:
    """The j directions in which what is learned from differs most, orthonormal: (l + c, j)."""

    def heard() -> Iterator[Tensor]:
        for embedding, logits in _trunk_batches(data):
            share = torch.full((len(logits), 1), _SOUND_SHARE)
            yield _side_by_side(sounds.learned(embedding, logits), sounds.learned.profile(logits), share)

    def read() -> Iterator[Tensor]:
        for sentences in torch.split(torch.cat([data.sentences, data.extra_sentences]), _BATCH):
            own = normalize(sentences, dim=-1)
            yield _side_by_side(texts.learned(own), texts.profile(own), texts.untrained_share(own))

    moment = (1.0 - _TEXT_WEIGHT) * _second_moment(heard()) + _TEXT_WEIGHT * _second_moment(read())
    _, directions = np.linalg.eigh(moment)
    kept = directions[:, ::-1][:, : sounds.blend.turn.shape[1]]
    # An eigenvector's sign is nobody's choice: the same data give the same map.
    kept = kept * np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
    return as_tensor(np.ascontiguousarray(kept, dtype=np.float32))


def _side_by_side(learned: Tensor, profile: Tensor, share: Tensor) -> Tensor:
    return torch.cat([(1.0 - share).sqrt() * learned, share.sqrt() * profile], dim=-1)


def _second_moment(parts: Iterator[Tensor]) -> FloatArray:
    """Mean outer product of all rows."""
    total, count = np.zeros(()), 0
    for part in parts:
        rows = part.numpy().astype(np.float64)
        total, count = total + rows.T @ rows, count + len(rows)
    return np.asarray(total / count)
