"""What a captioner learns from and is judged by.

Shape legend: n clips, e clip embedding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from core.captioning.tokenizer import normalise_caption, split_words
from core.captioning.vocabulary import Vocabulary
from core.captioning.writer import place_clips, takes_summaries
from core.config import RESOURCES
from core.encoders.card import AUDIO_FILE, ModuleSpec, read_card
from core.encoders.efficientat import MobileNetEncoder
from core.encoders.head import create_audio_head
from core.encoders.weights import unpack_weights
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
from training.retrieval.config import SHIPPED
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
        head: For the decoder's prefix; None: it has none.
        placed: (n, e) the clips in the space of the search model that ships; None: nothing is placed there.
    """

    clips: tuple[Clip, ...]
    sounds: KeptSounds
    learned: IntArray
    vocabulary: Vocabulary
    scenes: SceneSet | None
    encoder: nn.Module
    head: nn.Module | None
    placed: Tensor | None = None

    def rows(self, split: str) -> IntArray:
        """Numbers of a split's clips."""
        return np.asarray([row for row, clip in enumerate(self.clips) if clip.split == split], dtype=np.int64)

    def whole_clips(self) -> Tensor:
        """(n, e) embeddings of the whole clips, by the captioner's own head."""
        assert self.sounds.clip is not None  # Only asked of a captioner with a prefix.
        return self.sounds.clip[:, : self.clip_dimension]

    @property
    def clip_dimension(self) -> int:
        """e."""
        assert self.head is not None  # Only asked of a captioner with a prefix.
        return int(self.head.dimension)  # type: ignore[arg-type]


def gather(
    recipe: CaptioningRecipe, places: Places, *, scenes: bool = True, head: nn.Module | None = None
) -> CaptionMaterial:
    """Read a recipe's clips and listen to them; what is not in the cache yet is computed.

    Args:
        recipe: Says what.
        places: Where everything lies.
        scenes: Make the scenes that the recipe learns from, which only training needs.
        head: Of a captioner that is finished; None: a prefixed decoder gets that of the search model that ships.

    Raises:
        KnownError: Something is missing or damaged.
    """
    clips = read_sets(recipe.data, places)
    encoder = load_audio_encoder(recipe.audio, places.weights)
    stretches, shipped = recipe.decoder.stretches, None
    if recipe.decoder.name == "prefixed-transformer":
        shipped = shipped_head()[1]
        _check_head(shipped, encoder, stretches=stretches)
    head = shipped if head is None else head
    cache, listener = ArrayCache(places.cache), Listener(encoder, recipe.audio)
    heard = hear_clips(clips, listener, cache)
    sounds = with_clips(heard, encoder, head, stretches=stretches)
    placed = sounds.clip if head is shipped else with_clips(heard, encoder, shipped, stretches=stretches).clip
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
    if placed is not None:
        placed = placed[:, : int(shipped.dimension)]  # type: ignore[union-attr, arg-type]
    return CaptionMaterial(clips, sounds, learned, Vocabulary(words), made, encoder, head, placed)


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
    """The same with clips and their stretches placed by a head."""
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


def shipped_head() -> tuple[ModuleSpec, nn.Module]:
    """The audio head of the search model that ships, and what builds it.

    Raises:
        ModelError: There is no such model.
    """
    folder = RESOURCES / "models" / SHIPPED
    spec = read_card(folder).architecture.audio_head
    head = create_audio_head(spec.name, **spec.options)
    state = unpack_weights((folder / AUDIO_FILE).read_bytes())
    head.load_state_dict(
        {name.removeprefix("head."): value for name, value in state.items() if name.startswith("head.")}
    )
    return spec, head.eval().requires_grad_(False)


def _check_head(head: nn.Module, encoder: nn.Module, *, stretches: int) -> None:
    assert isinstance(encoder, MobileNetEncoder)  # The recipe has been checked.
    way_out = f"Give audio.options what {SHIPPED} is told of: trunk in its own recipe."
    try:
        told_all = takes_summaries(head, encoder.trunk)
    except ValueError as error:
        raise RecipeError(f"The head of {SHIPPED} does not fit the encoder: {error}.", way_out) from error
    if told_all and stretches:
        raise RecipeError(f"The head of {SHIPPED} cannot place stretches of a clip.", "Set decoder.stretches to 0.")
