"""The published recipes, shrunken: each model is built as its file says, learns a small real set, and is exported.

Their checkpoints are not here. The encoders that learn are mn04 and MiniLM, with its commonest words, in place of
theirs, from the model that ships; what a recipe adds on top is its own. The published encoders themselves take their
steps at full size, with fresh parameters, beside a BERT or RoBERTa of one layer.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from small_model import official_name
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
from core.config import RESOURCES
from core.encoders.load import load_dual_encoder
from training.checkpoint import LOG_FILE
from training.data.manifest import read_manifest
from training.data.synthetic import SyntheticCaptions, SyntheticFile
from training.recipe import load_any, recipe_names, recipe_path
from training.retrieval.captioner import write_captions
from training.retrieval.config import SHIPPED, AuxiliaryRecipe, RetrievalRecipe
from training.retrieval.encoder import Places
from training.retrieval.export import export
from training.retrieval.run import build, open_run, train
from training.tower import Towers, model_towers

SIZE = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
SHRUNKEN = (
    "data.sets=[{folder: ., layout: folder}]",
    "audio.seconds=1.5",
    'audio.checkpoint=""',
    "loop.tensorboard=false",
)
SMALL_TEXT = ("text.dimension=32", "text.layers=1", "text.dropout=0.0", "head.dimension=32", "head.dropout=0.0")
# Half of its parameters are those of rare words, and every step, checkpoint and export would carry them along.
MINILM_WORDS = 5000
WORD_VECTORS = "embeddings.word_embeddings.weight"
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
MN04 = ("audio.encoder=mn04", "audio.options={}", "audio.checkpoint=mn04.safetensors", "audio.spec_augment=null")
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
        towers, _ = model_towers(RESOURCES / "models" / SHIPPED)
        write_minilm(towers, self.places.weights / "minilm")
        trunk = {official_name(own): value for own, value in towers.trunk.state_dict().items()}
        save_file(trunk, self.places.weights / "mn04.safetensors")
        self._finished: dict[str, Path] = {}
        self._trained: dict[str, Path] = {}
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
        # Teachers that differ in their encoders alone are one and the same here.
        alike = shrunken.model_dump_json(exclude={"paper", "description"})
        if alike in self._trained:
            shutil.copytree(self._trained[alike], folder)
        else:
            train(shrunken, places, folder, device="cpu", show=False)
            self._trained[alike] = folder
        return folder


def write_minilm(towers: Towers, folder: Path) -> None:
    """The sentence encoder of the model that ships, with fewer words, as transformers saves one."""
    size = {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536}
    model = BertModel(BertConfig(vocab_size=MINILM_WORDS, **size), add_pooling_layer=False)
    whole = towers.text.bert.state_dict()
    whole[WORD_VECTORS] = whole[WORD_VECTORS][:MINILM_WORDS]
    model.load_state_dict({name: whole[name] for name in model.state_dict()})
    model.save_pretrained(folder)
    tokenizer = json.loads(towers.tokenizer)
    # They are numbered from the commonest to the rarest; a rarer one is spelt with these.
    words = tokenizer["model"]["vocab"]
    tokenizer["model"]["vocab"] = {word: number for word, number in words.items() if number < MINILM_WORDS}
    (folder / "given.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_file=str(folder / "given.json"), **special).save_pretrained(folder)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        # No run is interrupted here, and what one needs to go on is three times its parameters after every epoch.
        patch.setattr("training.loop.save_state", lambda _path, _state: None)
        yield Small(tmp_path_factory.mktemp("published"))


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
