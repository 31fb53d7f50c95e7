"""Scenes of a split, told and heard: what a captioner's judgement of order is fitted on and measured by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.captioning.card import OrderFit
from core.captioning.prefixed import PrefixedCaptionDecoder
from core.captioning.vocabulary import Vocabulary
from core.config import RESOURCES
from core.encoders.blended_head import BlendedTextHead
from core.encoders.dual import TorchDualEncoder
from core.encoders.load import load_dual_encoder, load_relevance
from core.errors import ModelError
from core.types import FloatArray
from training.captioning.config import CaptioningRecipe
from training.captioning.material import CaptionMaterial, SceneSet, judged_scenes
from training.captioning.order import WHOLE, OrderWitness, cut_scenes
from training.captioning.order_fit import fit_order
from training.captioning.sound import Listener
from training.perturb import Contrast, scene_contrasts
from training.retrieval.config import SHIPPED
from training.retrieval.encoder import Places
from training.tower import model_towers

TOP = 20
"""So many of the search model's best scenes are put in a new order."""
_DRAW = 17


@dataclass(frozen=True, slots=True)
class ToldScenes:
    """n scenes with captions.

    Attributes:
        made: The scenes.
        captions: A true one of each.
        tests: True and false ones.
    """

    made: SceneSet
    captions: Sequence[str]
    tests: Sequence[Contrast]


@dataclass(frozen=True, slots=True)
class WitnessedScenes:
    """The same with what both models know of them.

    Attributes:
        told: The scenes.
        witness: Of both models.
        scores: (n, n) of captions against whole scenes by the search model.
    """

    told: ToldScenes
    witness: OrderWitness
    scores: FloatArray


def tell_scenes(recipe: CaptioningRecipe, places: Places, material: CaptionMaterial, split: str) -> ToldScenes:
    """The judged scenes of a split.

    Raises:
        UnusableFileError: A file cannot be read.
    """
    made = judged_scenes(recipe, places, material, split)
    rng = np.random.default_rng([recipe.seed, _DRAW])
    captions, tests = scene_contrasts(made.scenes, material.clips, rng, front=recipe.scenes.front_words)
    return ToldScenes(made, captions, tests)


def ask_both(
    told: ToldScenes,
    recipe: CaptioningRecipe,
    material: CaptionMaterial,
    decoder: PrefixedCaptionDecoder,
    vocabulary: Vocabulary,
) -> WitnessedScenes:
    """Cut scenes, and let the captioner and the search model that ships hear them.

    Raises:
        KnownError: A file cannot be read, or the search model is missing.
    """
    folder = RESOURCES / "models" / SHIPPED
    search, relevance, head = load_dual_encoder(folder, device="cpu"), load_relevance(folder), model_towers(folder)[1]
    if not isinstance(search, TorchDualEncoder) or not isinstance(head, BlendedTextHead):
        raise ModelError(f"{SHIPPED} is of a kind that judges no order.", "Choose one with a blended head.")
    cut = cut_scenes(told.made, material, Listener(material.encoder, recipe.audio))
    witness = OrderWitness(decoder, vocabulary, cut, search, relevance, head)
    scores = np.asarray(search.embed_text(list(told.captions)) @ cut.placed[:, WHOLE].T)
    return WitnessedScenes(told, witness, scores)


def fit_on_validation(
    recipe: CaptioningRecipe,
    places: Places,
    material: CaptionMaterial,
    decoder: PrefixedCaptionDecoder,
    vocabulary: Vocabulary,
) -> OrderFit:
    """Weights of the judgement, from scenes of validation clips.

    Raises:
        KnownError: A file cannot be read, or the search model is missing.
    """
    told = tell_scenes(recipe, places, material, "valid")
    known = ask_both(told, recipe, material, decoder, vocabulary)
    return fit_order(known.witness, told.captions, told.tests, known.scores, top=TOP)
