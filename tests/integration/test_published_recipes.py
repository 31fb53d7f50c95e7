"""The published recipes, shrunken: each model is built as its file says, learns a small real set, and is exported.

Their checkpoints are not here. The encoders that learn are mn04 and MiniLM in place of theirs, from the model that
ships; what a recipe adds on top is its own. The published encoders themselves take their steps at full size, with fresh
parameters, beside a BERT or RoBERTa of one layer.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from small_sounds import write_small_set
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizerFast,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizerFast,
)

from core.audio.mono import read_mono
from core.encoders.load import load_dual_encoder
from training.checkpoint import LOG_FILE
from training.data.manifest import read_manifest
from training.data.synthetic import SyntheticCaptions, SyntheticFile
from training.recipe import load_any, recipe_names, recipe_path
from training.retrieval.captioner import write_captions
from training.retrieval.config import AuxiliaryRecipe, RetrievalRecipe, TextPart
from training.retrieval.encoder import BundledText, Places, load_text
from training.retrieval.export import export
from training.retrieval.run import build, open_run, train

SIZE = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
SHRUNKEN = (
    "data.sets=[{folder: ., layout: folder}]",
    "audio.seconds=1.5",
    'audio.checkpoint=""',
    "loop.tensorboard=false",
)
SMALL_TEXT = ("text.dimension=32", "text.layers=1", "text.dropout=0.0", "head.dimension=32", "head.dropout=0.0")
MINILM = (
    "text.encoder=bert-base",
    "text.folder=minilm",
    "text.dimension=384",
    "text.layers=6",
    "text.learning_rate_factor=0.1",
    "audio.learning_rate_factor=0.1",
    "head.dimension=64",
    "head.dropout=0.0",
)
MN04 = ("audio.encoder=mn04", "audio.options={}", "audio.checkpoint=earshot-base", "audio.spec_augment=null")
LOSSES = ("triplet-sum", "triplet-max", "triplet-weighted", "nt-xent")
FEW_STEPS = (
    "data.batch=8",
    "data.sampler=one",
    "loop.epochs=5",
    "loop.optimiser={name: adam, learning_rate: 0.001}",
    "loop.schedule={kind: constant}",
)
# In these the recipes differ beyond their encoders and data sets; see the test that says so.
TRAINED = (
    *(f"mei/audiocaps-{tuned}-{loss}" for tuned in ("frozen", "tuned") for loss in LOSSES),
    *(f"primus/clotho-mn-{stage}" for stage in ("stage1", "m1", "m3")),
    "primus/wavcaps-passt-stage2",
    *(f"xin/audiocaps-resnet38-hci{terms}" for terms in ("", "-cs", "-fw", "-sp")),
    *(f"xin/clotho-{form}" for form in ("da", "fi", "ac", "ac-hci")),
    *(f"tymofieiev/{form}" for form in ("passt-sigmoid", "passt-synthetic", "atst-slower-tap")),
)
CHANCE = 0.1  # mAP@10 of a random ranking of the 32 sounds that are learned from, one or two of which fit


class Small:
    """The small set, tiny text encoders, and recipes trained when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        sounds = folder / "sounds"
        sounds.mkdir()
        self.places = Places(write_small_set(sounds), folder / "weights", folder / "cache", folder / "runs")
        words = sorted({w for clip in read_manifest(sounds) for text in clip.captions for w in text.lower().split()})
        torch.manual_seed(0)
        bert = self.places.weights / "bert-base-uncased"
        bert.mkdir(parents=True)
        (bert / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
        BertTokenizerFast(vocab=str(bert / "vocab.txt")).save_pretrained(bert)
        BertModel(BertConfig(vocab_size=len(words) + 5, **SIZE), add_pooling_layer=False).save_pretrained(bert)
        roberta = self.places.weights / "roberta-large"
        letters = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *[chr(code) for code in range(97, 123)], "Ġ"]
        vocabulary = {token: number for number, token in enumerate(letters)}
        RobertaTokenizerFast(vocab=vocabulary, merges=[]).save_pretrained(roberta)
        size = RobertaConfig(vocab_size=len(letters), max_position_embeddings=80, **SIZE)
        RobertaModel(size, add_pooling_layer=False).save_pretrained(roberta)
        write_minilm(self.places.weights / "minilm")
        self._finished: dict[str, Path] = {}
        # As a language model would have written them.
        written = SyntheticFile(self.places.runs / "tymofieiev" / "clotho-synthetic.jsonl")
        for clip in read_manifest(sounds):
            written.add(SyntheticCaptions(clip.id, tuple(f"one can hear {text}" for text in clip.captions)))

    def run(self, name: str) -> Path:
        """The folder of a trained recipe; what it refers to is trained before, beside it."""
        room, _, short = name.partition("/")
        folder = self.places.runs / room / short
        if name in self._finished:
            return folder
        self._finished[name] = folder
        places = Places(self.places.data, self.places.weights, self.places.cache, folder.parent)
        recipe = load_any(recipe_path(name), SHRUNKEN)
        few = [*SHRUNKEN, *FEW_STEPS]
        if isinstance(recipe, AuxiliaryRecipe):
            small = load_any(recipe_path(name), [*few, *MN04, "width=32"])
            write_captions(small, places, folder, device="cpu", show=False)
            return folder
        assert isinstance(recipe, RetrievalRecipe)
        for other in [recipe.starts_from, *(recipe.distillation.teachers if recipe.distillation else ())]:
            if other:
                self.run(f"{room}/{other}")
        if recipe.auxiliary is not None:
            self.run(f"{room}/{recipe.auxiliary.captions}")
        # A frozen encoder on waveforms, or one that learns, as the recipe says. A second stage begins anew: from where
        # its first one ended it has hardly any way to fall.
        # Layers that begin with nothing need more steps.
        longer = ["loop.epochs=10"] if recipe.auxiliary is not None else []
        shrunken = load_any(recipe_path(name), [*few, *MINILM, *MN04, 'starts_from=""', *longer])
        train(shrunken, places, folder, device="cpu", show=False)
        return folder


def write_minilm(folder: Path) -> None:
    """The sentence encoder of the model that ships, as transformers saves one."""
    text = load_text(TextPart(), folder)
    assert isinstance(text, BundledText)
    size = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
    model = BertModel(BertConfig(**size), add_pooling_layer=False)
    model.load_state_dict(text.tower.bert.state_dict(), strict=False)
    model.save_pretrained(folder)
    (folder / "given.json").write_bytes(text.tokenizer)
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_file=str(folder / "given.json"), **special).save_pretrained(folder)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    torch.set_num_threads(1)
    return Small(tmp_path_factory.mktemp("published"))


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_that_a_published_recipe_learns_and_its_export_loads(name: str, small: Small, tmp_path: Path) -> None:
    folder = small.run(name)
    with (folder / LOG_FILE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    places = Places(small.places.data, small.places.weights, small.places.cache, folder.parent)
    task = open_run(folder, places)
    assert task.figures("train")["map_at_10"] > 1.5 * CHANCE
    card = export(task, places, tmp_path / "model", name="published")
    encoder = load_dual_encoder(tmp_path / "model", device="cpu")
    rows_asked = task.material.rows("test")[:2]
    clips = [task.material.clips[row] for row in rows_asked]
    sounds = encoder.embed_audio([read_mono(clip.path, sample_rate_hz=card.sample_rate_hz) for clip in clips])
    assert np.abs(sounds - task.sound_vectors(rows_asked, alone=True).numpy()).max() < 0.02
    texts = [clips[0].captions[0], clips[1].captions[1]]
    assert np.abs(encoder.embed_text(texts) - task.text_vectors(texts).numpy()).max() < 0.02


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "mei/clotho-tuned-nt-xent",
        "mei/audiocaps-tuned-nt-xent-cnn14",
        "primus/clotho-passt-stage1",
        "primus/clotho-atst-stage1",
        "primus/clotho-mn-stage1",
        "tymofieiev/atst-slower-tap",
    ],
)
def test_that_the_published_encoder_itself_takes_its_steps(name: str, small: Small) -> None:
    """The whole encoder at its published size with fresh parameters: one step down its gradient lowers the loss."""
    recipe = load_any(recipe_path(name), [*SHRUNKEN, *SMALL_TEXT, "data.batch=4", "data.sampler=one"])
    task = build(recipe, small.places, taught=False)
    batch = next(iter(task.batches(1)))
    task.module.train()

    def loss() -> torch.Tensor:
        torch.manual_seed(0)  # The same dropout and patchout each time.
        return task.loss(batch)[0]

    before = loss()
    before.backward()
    learning = {name: p for name, p in task.module.named_parameters() if p.grad is not None and bool(p.grad.any())}
    for part in ("sounds.", "wording.", "audio_head.", "text_head."):
        assert any(name.startswith(part) for name in learning), part
    norm = torch.stack([p.grad.norm() for p in learning.values() if p.grad is not None]).norm()
    # How far a fresh network's slope reaches differs by orders of magnitude.
    lowered, gone = False, 0.0
    with torch.no_grad():
        for step in (1e-2, 1e-3, 1e-4, 1e-5):
            for parameter in learning.values():
                parameter -= (step - gone) * parameter.grad / norm
            gone = step
            lowered = lowered or float(loss()) < float(before.detach())
    assert lowered


def test_that_every_published_recipe_is_trained_here_but_for_its_encoders_and_data() -> None:
    def shrunken(name: str) -> dict[str, object]:
        told = load_any(recipe_path(name), [*SHRUNKEN, *FEW_STEPS, *MINILM, *MN04, 'starts_from=""']).model_dump()
        if told["distillation"]:
            told["distillation"]["teachers"] = len(told["distillation"]["teachers"])
        if told["auxiliary"]:
            told["auxiliary"].pop("captions")
        return {key: value for key, value in told.items() if key not in ("paper", "description")}

    rooms = ("mei/", "primus/", "xin/", "tymofieiev/")
    published = [name for name in recipe_names() if name.startswith(rooms) and not name.endswith("-captioner")]
    trained = [shrunken(name) for name in TRAINED]
    assert set(TRAINED) <= set(published)
    assert [name for name in published if shrunken(name) not in trained] == []


@pytest.mark.parametrize("name", recipe_names())
def test_that_every_recipe_of_the_project_is_whole(name: str) -> None:
    recipe = load_any(recipe_path(name))
    if getattr(recipe, "paper", None) is not None:
        assert recipe.paper.row
        assert recipe.paper.data
        assert all(0 < value < 1 for value in recipe.paper.figures.values())
