"""More captions by a language model: a tiny real one, and one that plays a part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import typer
from dataset_layout import full_disk, write_manifest_lines, write_sound
from typer.testing import CliRunner

from core.errors import KnownError, ModelError
from training.data.dataset import Clip, DataError
from training.data.storage import StorageError
from training.data.synthetic import is_synthetic, read_synthetic
from training.synthesise import (
    LocalWriter,
    SynthesisSettings,
    Writer,
    instruction,
    question,
    register,
    synthesise,
    usable_captions,
)

CLIP = Clip("a", Path("a.wav"), ("A dog barks twice at Big Ben", "Barking of two dogs"), "train", tags=("dog",))
SETTINGS = SynthesisSettings(captions=2)
WORDS = '[ ] , a dog barks loudly while rain falls on the roof of house " . captions tags'.split()


class Scripted(Writer):
    """Answers what it was told to, and remembers what it was asked."""

    def __init__(self, *answers: str, name: str = "scripted") -> None:
        self.name = name
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    def __call__(self, told: str, asked: str, seed: int) -> str:
        self.asked.append((asked, seed))
        return self.answers.pop(0)


def clips(count: int) -> list[Clip]:
    return [Clip(f"c{number}", Path("x.wav"), (f"sound {number}",), "train") for number in range(count)]


def listed(*captions: str) -> str:
    return json.dumps(captions)


@pytest.mark.parametrize(
    "answer",
    [
        '["A hound woofs nearby", "Woofing fills the yard"]',
        'Here you are:\n```json\n["A hound woofs nearby", "Woofing fills the yard"]\n```\nEnjoy!',
        "1. A hound woofs nearby\n2) Woofing fills the yard\n",
        'Sure, new captions:\n- "A hound woofs nearby"\n* Woofing fills the yard',
    ],
)
def test_that_an_answer_is_understood_in_the_forms_that_models_give(answer: str) -> None:
    assert usable_captions(answer, CLIP, SETTINGS).captions == ("A hound woofs nearby", "Woofing fills the yard")


@pytest.mark.parametrize(
    ("caption", "reason"),
    [
        ("A hound woofs " + 20 * "very " + "loudly", "too long"),
        ("Woof woof", "too short"),
        ("A hound woofs seven times", "numbers"),
        ("A hound woofs 3 times", "numbers"),
        ("A hound called Rex woofs", "names"),
        ("A hound woofs, see https://dog", "no sentence"),
        ("a hound {woofs} nearby", "no sentence"),
        ("a DOG barks twice at Big Ben!", "a copy"),
    ],
)
def test_that_a_caption_against_the_conditions_is_refused(caption: str, reason: str) -> None:
    verdict = usable_captions(listed(caption, "Woofing fills the yard"), CLIP, SETTINGS)
    assert verdict.captions == ("Woofing fills the yard",)
    assert verdict.refused == {reason: 1}


def test_that_numbers_and_names_of_the_clip_itself_may_come_again() -> None:
    answer = listed("Close to Big Ben a hound is woofing", "The woofs of two hounds")
    assert len(usable_captions(answer, CLIP, SETTINGS).captions) == 2
    free = SynthesisSettings(allow_numbers=True)
    assert usable_captions(listed("A hound woofs seven times"), CLIP, free).captions


def test_that_the_model_is_asked_again_until_there_are_enough(tmp_path: Path) -> None:
    writer = Scripted(
        "I cannot do that, it is too hard.",
        listed("A hound woofs nearby"),
        listed("A hound woofs nearby", "Woofing fills the yard"),
    )
    writer.answers[0] = ""
    done = synthesise([CLIP], writer, tmp_path / "new.jsonl", SETTINGS)
    assert done["a"].captions == ("A hound woofs nearby", "Woofing fills the yard")
    assert (done["a"].attempts, done["a"].problem) == (3, "")
    assert len({seed for _, seed in writer.asked}) == 3
    assert json.loads(writer.asked[0][0]) == {"captions": list(CLIP.captions), "tags": ["dog"]}


def test_that_a_clip_without_enough_is_kept_with_its_reason(tmp_path: Path) -> None:
    writer = Scripted(*3 * [listed("A hound woofs 3 times", "Woofing fills the yard")])
    synthesise([CLIP], writer, tmp_path / "new.jsonl", SETTINGS)
    kept = read_synthetic(tmp_path / "new.jsonl")["a"]
    assert kept.captions == ("Woofing fills the yard",)
    assert kept.problem == "1 of 2 usable: 2 a copy, 3 numbers"


def test_that_no_more_captions_are_kept_than_asked_for(tmp_path: Path) -> None:
    writer = Scripted(listed("A hound woofs nearby", "Woofing fills the yard", "Hounds are heard outside"))
    assert len(synthesise([CLIP], writer, tmp_path / "new.jsonl", SETTINGS)["a"].captions) == 2


def test_that_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    file, good = tmp_path / "new.jsonl", listed("A hound woofs nearby", "Woofing fills the yard")

    class Stopping(Scripted):
        def __call__(self, told: str, asked: str, seed: int) -> str:
            if not self.answers:
                raise KeyboardInterrupt
            return super().__call__(told, asked, seed)

    with pytest.raises(KeyboardInterrupt):
        synthesise(clips(5), Stopping(good, good, good), file, SETTINGS)
    file.write_text(file.read_text(encoding="utf-8")[:-20], encoding="utf-8")  # the last line was cut short
    rest = Scripted(good, good, good)
    done = synthesise(clips(5), rest, file, SETTINGS)
    assert len(rest.asked) == 3
    assert list(done) == [f"c{number}" for number in range(5)]
    assert set(read_synthetic(file)) == set(done)


def test_that_another_model_or_other_captions_are_asked_anew(tmp_path: Path) -> None:
    file, good = tmp_path / "new.jsonl", listed("A hound woofs nearby", "Woofing fills the yard")
    synthesise(clips(2), Scripted(good, good), file, SETTINGS)
    synthesise(clips(2), Scripted(), file, SETTINGS)  # It would fail if it were asked.
    other = Scripted(listed("Hounds are woofing outside", "A pet makes noise"), good, name="another")
    synthesise(clips(2), other, file, SETTINGS)
    assert read_synthetic(file)["c0"].captions == ("Hounds are woofing outside", "A pet makes noise")
    changed = [Clip("c0", Path("x.wav"), ("something else entirely",), "train"), clips(2)[1]]
    asked = Scripted(good, name="another")
    synthesise(changed, asked, file, SETTINGS)
    assert len(asked.asked) == 1


def test_that_a_full_disk_is_told_and_keeps_what_is_written(tmp_path: Path) -> None:
    file, good = tmp_path / "new.jsonl", listed("A hound woofs nearby", "Woofing fills the yard")
    synthesise(clips(1), Scripted(good), file, SETTINGS)
    with full_disk(after_bytes=file.stat().st_size + 10), pytest.raises(StorageError, match="no space left"):
        synthesise(clips(3), Scripted(good, good), file, SETTINGS)
    done = synthesise(clips(3), Scripted(good, good), file, SETTINGS)
    assert set(read_synthetic(file)) == set(done)


def test_that_a_damaged_file_of_captions_is_told(tmp_path: Path) -> None:
    (tmp_path / "new.jsonl").write_text('{"id": "a"}\n{"id": "b", "captions": ["x"]}\n', encoding="utf-8")
    with pytest.raises(DataError, match="Line 1"):
        read_synthetic(tmp_path / "new.jsonl")


def test_that_the_instruction_names_the_conditions() -> None:
    told = instruction(SynthesisSettings())
    assert "exactly 5" in told
    assert "at most 20 words" in told
    assert "no numbers" in told
    assert "no numbers" not in instruction(SynthesisSettings(allow_numbers=True))


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal model of random weights, as small as can be, in the form of published ones."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("language-model")
    vocabulary = {word: row for row, word in enumerate(["<pad>", "<s>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=512,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def test_that_a_local_model_answers_and_the_seed_decides(language_model: Path) -> None:
    settings = SynthesisSettings(temperature=1.0, new_tokens=24)
    writer = LocalWriter(language_model, settings, device="cpu")
    before = torch.random.get_rng_state()
    answers = [writer(instruction(settings), question(CLIP), seed) for seed in (1, 1, 2)]
    assert answers[0] == answers[1] != answers[2]
    assert set(answers[0].split()) <= set(WORDS)
    assert torch.equal(torch.random.get_rng_state(), before)
    greedy = LocalWriter(language_model, SynthesisSettings(temperature=0, new_tokens=8), device="cpu")
    assert greedy("told", "asked", 1) == greedy("told", "asked", 2)
    assert writer.name == greedy.name


def test_that_a_model_with_a_chat_template_is_spoken_to_in_it(language_model: Path, tmp_path: Path) -> None:
    for path in language_model.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    template = "{% for m in messages %}captions {{ m['content'] }} tags{% endfor %}"
    (tmp_path / "chat_template.jinja").write_text(template, encoding="utf-8")
    writer = LocalWriter(tmp_path, SynthesisSettings(new_tokens=8), device="cpu")
    tokens = writer._tokens("a dog", "barks")
    assert writer._tokenizer.decode(tokens[0]).split() == ["captions", "a", "dog", "barks", "tags"]


def test_that_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        LocalWriter(tmp_path, SETTINGS, device="cpu")
    (tmp_path / "config.json").write_text('{"model_type": "nonsense"}', encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be opened"):
        LocalWriter(tmp_path, SETTINGS, device="cpu")


def test_that_the_command_writes_a_file_that_training_reads(language_model: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    lines = [{"file": f"{n}.wav", "captions": ["a dog barks"], "split": "train", "id": str(n)} for n in range(3)]
    write_manifest_lines(data, lines)
    for number in range(3):
        write_sound(data / f"{number}.wav")
    app = typer.Typer()
    register(app)
    app.command("other")(lambda: None)
    out = tmp_path / "new.jsonl"
    arguments = [
        "synthesise",
        str(data),
        "--model",
        str(language_model),
        "--out",
        str(out),
        "--device",
        "cpu",
        "--limit",
        "2",
        "--attempts",
        "1",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert set(read_synthetic(out)) == {"0", "1"}
    assert is_synthetic(out)
    assert not is_synthetic(data / "corpus.jsonl")
    empty = CliRunner().invoke(app, [*arguments, "--split", "test"])
    assert isinstance(empty.exception, KnownError)
