"""What a captioner learns from and is judged by.

Shape legend: n clips, e clip embedding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from core.captioning.card import WEIGHTS_FILE, read_captioner_card
from core.captioning.tokenizer import normalise_caption, split_words
from core.captioning.vocabulary import Vocabulary
from core.captioning.writer import place_clips
from core.config import RESOURCES
from core.encoders.efficientat import MobileNetEncoder
from core.encoders.head import create_audio_head
from core.types import FloatArray, IntArray
from training.captioning.config import CaptioningRecipe
from training.captioning.relation import FRONT, SEQUENCE, SUPERPOSITION, infix_and_tail
from training.captioning.scene import Scene, draw_scenes
from training.captioning.sound import KeptSounds, Listener, hear_clips, hear_scenes
from training.config import Recipe
from training.data.cache import ArrayCache
from training.data.dataset import Clip
from training.material import learned_clips
from training.recipe import RecipeError, load_any, recipe_path
from training.retrieval.encoder import Places, load_audio_encoder
from training.retrieval.material import learned_rows, read_sets

_PLACED_AT_ONCE = 512
# Added to the seed, so that scenes of different use are drawn apart.
_LEARNED_SCENES, _JUDGED_SCENES = 3, 2
SHIPPED_CAPTIONER = "earshot-captioner"


@dataclass(frozen=True, slots=True)
class SceneSet:
    """Scenes and what is heard in them."""

    scenes: tuple[Scene, ...]
    sounds: KeptSounds


@dataclass(frozen=True, slots=True)
class CaptionMaterial:
    """Clips, scenes and words.

    Attributes:
        clips: All n of them.
        sounds: What is heard in each.
        learned: Numbers of those that are learned from.
        vocabulary: Of the captions that are learned from.
        scenes: Of learned clips; None: none are made.
        encoder: Frozen; goes into an exported model.
        head: Of the shipped search model, for the prefix; None: the decoder has none.
    """

    clips: tuple[Clip, ...]
    sounds: KeptSounds
    learned: IntArray
    vocabulary: Vocabulary
    scenes: SceneSet | None
    encoder: nn.Module
    head: nn.Module | None

    def rows(self, split: str) -> IntArray:
        """Numbers of a split's clips."""
        return np.asarray([row for row, clip in enumerate(self.clips) if clip.split == split], dtype=np.int64)

    def whole_clips(self) -> Tensor:
        """(n, e) embeddings of the whole clips in the space of the shipped search model."""
        assert self.sounds.clip is not None  # Only asked of a captioner with a prefix.
        return self.sounds.clip[:, : self.clip_dimension]

    @property
    def clip_dimension(self) -> int:
        """e."""
        assert self.head is not None  # Only asked of a captioner with a prefix.
        return int(self.head.dimension)  # type: ignore[arg-type]


def gather(recipe: CaptioningRecipe, places: Places, *, scenes: bool = True) -> CaptionMaterial:
    """Read a recipe's clips and listen to them; what is not in the cache yet is computed.

    Args:
        recipe: Says what.
        places: Where everything lies.
        scenes: Make the scenes that the recipe learns from, which only training needs.

    Raises:
        KnownError: Something is missing or damaged.
    """
    clips = read_sets(recipe.data, places)
    encoder = load_audio_encoder(recipe.audio, places.weights)
    stretches = recipe.decoder.stretches
    head = _shipped_head() if recipe.decoder.name == "prefixed-transformer" else None
    cache, listener = ArrayCache(places.cache), Listener(encoder, recipe.audio)
    sounds = with_clips(hear_clips(clips, listener, cache), encoder, head, stretches=stretches)
    learned = _learned(recipe, clips, embeddings_of(sounds, encoder))
    made = None
    if recipe.scenes.count and scenes:
        drawn = draw_scenes(
            clips,
            learned.tolist(),
            count=recipe.scenes.count,
            superposed=recipe.scenes.superposed,
            rng=np.random.default_rng(recipe.seed + _LEARNED_SCENES),
            front_db=recipe.scenes.front_db,
            far=recipe.scenes.far,
        )
        made = SceneSet(
            tuple(drawn), with_clips(hear_scenes(drawn, clips, listener, cache), encoder, head, stretches=stretches)
        )
    relations = scene_relations(recipe) if recipe.scenes.count else ()
    words = known_words([clips[row] for row in learned], least=recipe.words.least, relations=relations)
    return CaptionMaterial(clips, sounds, learned, Vocabulary(words), made, encoder, head)


def judged_scenes(recipe: CaptioningRecipe, places: Places, material: CaptionMaterial, split: str) -> SceneSet:
    """Scenes made of a split's clips, which nothing was learned from.

    Raises:
        UnusableFileError: A file cannot be read.
    """
    cache, listener = ArrayCache(places.cache), Listener(material.encoder, recipe.audio)
    drawn = draw_scenes(
        material.clips,
        material.rows(split).tolist(),
        count=recipe.scenes.judged,
        superposed=recipe.scenes.superposed,
        rng=np.random.default_rng(recipe.seed + _JUDGED_SCENES),
        front_db=recipe.scenes.front_db,
        far=recipe.scenes.far,
    )
    heard = hear_scenes(drawn, material.clips, listener, cache)
    stretches = recipe.decoder.stretches
    return SceneSet(tuple(drawn), with_clips(heard, material.encoder, material.head, stretches=stretches))


def with_clips(sounds: KeptSounds, encoder: nn.Module, head: nn.Module | None, *, stretches: int) -> KeptSounds:
    """The same with clips and their stretches placed in the space of the shipped search model."""
    if head is None:
        return sounds
    assert isinstance(encoder, MobileNetEncoder)  # The recipe has been checked.
    placed: list[Tensor] = []
    with torch.inference_mode():
        for begin in range(0, len(sounds), _PLACED_AT_ONCE):
            rows = np.arange(begin, min(begin + _PLACED_AT_ONCE, len(sounds)), dtype=np.int64)
            embeddings = torch.from_numpy(sounds.embeddings[rows])
            frames, mask = sounds.frames.padded(rows)
            placed.append(place_clips(embeddings, frames, mask, encoder.trunk, head, stretches=stretches))
    return replace(sounds, clip=torch.cat(placed).clone())


def embeddings_of(sounds: KeptSounds, encoder: nn.Module) -> FloatArray:
    """(n, d) the encoder's embeddings, with which a summary begins."""
    dimension = int(encoder.dimension)  # type: ignore[arg-type]
    return np.asarray(sounds.embeddings[:, :dimension])


def scene_relations(recipe: CaptioningRecipe) -> tuple[str, ...]:
    """All words that a recipe's scenes may be told with."""
    return (*SEQUENCE, *SUPERPOSITION, *(FRONT if recipe.scenes.front_words else ()))


def known_words(clips: Sequence[Clip], *, least: int, relations: Sequence[str] = ()) -> tuple[str, ...]:
    """Words of at least so many captions, in the order in which they are first met, and those that relate sounds."""
    counts: Counter[str] = Counter()
    for clip in clips:
        for caption in clip.captions:
            counts.update(dict.fromkeys(split_words(normalise_caption(caption)), 1))
    words = [word for word, count in counts.items() if count >= least]
    related = " ".join(" ".join(infix_and_tail(relation)) for relation in relations).split()
    return tuple(dict.fromkeys([*words, *related]))


def _learned(recipe: CaptioningRecipe, clips: Sequence[Clip], embeddings: FloatArray) -> IntArray:
    rows = learned_rows(clips, recipe.data, recipe.seed)
    if not recipe.held_out.recipe:
        return rows
    other = load_any(recipe_path(recipe.held_out.recipe))
    if not isinstance(other, Recipe):
        raise RecipeError(f"The recipe {recipe.held_out.recipe} names no held-out sources.")
    kept = learned_clips(
        clips,
        embeddings,
        held_out=other.data.held_out_sources,
        duplicate_similarity=recipe.held_out.duplicate_similarity,
    )
    return np.intersect1d(rows, np.asarray(kept, dtype=np.int64))


def _shipped_head() -> nn.Module:
    """The head of earshot-base 1.0.0, as the shipped captioner carries it.

    Later ones are told of more than a frame's own mean, and so cannot place a stretch of a clip.
    """
    folder = RESOURCES / "models" / SHIPPED_CAPTIONER
    spec = read_captioner_card(folder).architecture.audio_head
    head = create_audio_head(spec.name, **spec.options)
    state = load_file(folder / WEIGHTS_FILE)
    head.load_state_dict(
        {name.removeprefix("head."): value.float() for name, value in state.items() if name.startswith("head.")}
    )
    return head.eval().requires_grad_(False)
