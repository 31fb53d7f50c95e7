"""`python -m training synthesise`: more captions for a data set, written by a language model that runs here.

Tymofieiev 2025, section 3.7: the model is given an audio's captions and tags as JSON and writes as many new ones, so
that the training set doubles. Any causal model of `transformers` from a folder will do; nothing is fetched. Its answer
is not believed: every caption has to pass the checks of `usable_captions`, and a clip is asked for again (with another
seed) until it has enough or the attempts are used up.
"""

from __future__ import annotations

import json
import logging
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console
from rich.progress import track

from core.errors import KnownError, ModelError
from training.data.cache import content_key
from training.data.dataset import SPLITS, Clip
from training.data.synthetic import SyntheticCaptions, SyntheticFile, read_synthetic
from training.data.word import split_words
from training.describe import Exclude, Folder, LayoutName, open_dataset

if TYPE_CHECKING:
    import torch

_console = Console()
_logger = logging.getLogger(__name__)
_NUMBER_WORDS = frozenset(
    "zero one two three four five six seven eight nine ten eleven twelve dozen hundred thousand".split()
)
_LIST_MARK = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.):])\s*")
_QUOTES = "\"'“”‘’`"
_CODE_FENCE = re.compile(r"```\w*")
_LEAST_WORDS = 3
_COPIED = 0.9
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


class SynthesisSettings(BaseModel):
    """What is asked for.

    Attributes:
        captions: New ones for a clip.
        most_words: Of a caption (the thesis: 20).
        attempts: For a clip, until it has enough.
        allow_numbers: Whether numbers may stand in them that the clip's captions do not have (the thesis: no).
        temperature: Of the drawing; 0: always the likeliest word.
        nucleus: Share of the probability that is drawn from.
        new_tokens: Longest answer.
        seed: Of the drawing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    captions: int = Field(default=5, ge=1, le=20)
    most_words: int = Field(default=20, ge=4, le=60)
    attempts: int = Field(default=3, ge=1, le=20)
    allow_numbers: bool = False
    temperature: float = Field(default=0.7, ge=0, le=2)
    nucleus: float = Field(default=0.95, gt=0, le=1)
    new_tokens: int = Field(default=320, ge=8, le=2048)
    seed: int = Field(default=0, ge=0)


def instruction(settings: SynthesisSettings) -> str:
    """What the model is told to do: the conditions of the thesis, and the form of the answer."""
    numbers = "" if settings.allow_numbers else " Add no numbers."
    return (
        "You are given the captions that people wrote for one audio recording, and its tags, as JSON. "
        f"Write exactly {settings.captions} new captions of the same recording, each of at most "
        f"{settings.most_words} words. Keep their meaning. Add no event that is not in them.{numbers} Add no names. "
        f"Answer with a JSON list of {settings.captions} strings and nothing else."
    )


def question(clip: Clip) -> str:
    """What the model is given of a clip."""
    return json.dumps({"captions": list(clip.captions), "tags": list(clip.tags)}, ensure_ascii=False)


class Writer(ABC):
    """Something that answers.

    Attributes:
        name: Who it is; a change means that everything is asked anew.
    """

    name: str = ""

    @abstractmethod
    def __call__(self, told: str, asked: str, seed: int) -> str:
        """The answer to an instruction and a question."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which captions of an answer are good, and how many fell for which reason."""

    captions: tuple[str, ...]
    refused: dict[str, int]


def usable_captions(answer: str, clip: Clip, settings: SynthesisSettings, known: Sequence[str] = ()) -> Verdict:
    """The captions of an answer that keep to the conditions.

    Refused are: too long or too short; with numbers that the clip's own texts do not have, or with names (a capital
    inside a sentence); with characters of no sentence; near copies of the clip's captions or of one another.

    Args:
        answer: Of the model: a JSON list, or else one caption a line.
        clip: That they describe.
        settings: The conditions.
        known: New captions that the clip already has.
    """
    good: list[str] = []
    refused: dict[str, int] = {}
    vocabulary = {word for text in (*clip.captions, *clip.tags, clip.title) for word in split_words(text)}
    for text in _listed(answer):
        problem = _problem(text, settings, vocabulary, [*clip.captions, *known, *good])
        if problem:
            refused[problem] = refused.get(problem, 0) + 1
        else:
            good.append(text)
    return Verdict(tuple(good), refused)


def _listed(answer: str) -> list[str]:
    """The captions that an answer lists, without marks and quotes."""
    text = _CODE_FENCE.sub("", answer)
    begin, end = text.find("["), text.rfind("]")
    if 0 <= begin < end:
        try:
            found = json.loads(text[begin : end + 1])
            if isinstance(found, list) and all(isinstance(one, str) for one in found):
                return [_bare(one) for one in found if _bare(one)]
        except ValueError:
            _logger.debug("an answer in brackets that is no JSON: %s", answer)
    lines = [_bare(line) for line in text.split("\n")]
    return [line for line in lines if line and line not in ("[", "]") and not line.endswith(":")]


def _bare(line: str) -> str:
    return " ".join(_LIST_MARK.sub("", line).strip().strip(",").strip(_QUOTES).split())


def _problem(text: str, settings: SynthesisSettings, vocabulary: set[str], known: Sequence[str]) -> str:
    words = split_words(text)
    if len(words) > settings.most_words:
        return "too long"
    if len(words) < _LEAST_WORDS:
        return "too short"
    added = set(words) - vocabulary
    if not settings.allow_numbers and any(word in _NUMBER_WORDS or re.search(r"\d", word) for word in added):
        return "numbers"
    if re.search(r"[{}\[\]<>|\\_#*]|https?:", text):
        return "no sentence"
    inner = re.findall(r"(?<=[\w,;] )[A-Z][\w'’-]*", text)
    if any(word != "I" and word.lower() not in vocabulary for word in inner):
        return "names"
    if any(_alike(words, split_words(other)) for other in known):
        return "a copy"
    return ""


def _alike(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two captions are of the same words but for a tenth."""
    own, theirs = set(words), set(others)
    return len(own & theirs) >= _COPIED * len(own | theirs)


def synthesise(
    clips: Sequence[Clip],
    writer: Writer,
    file: Path,
    settings: SynthesisSettings,
    *,
    progress: Callable[[Sequence[Clip]], Iterator[Clip]] = iter,
) -> dict[str, SyntheticCaptions]:
    """Write captions for clips into a file; a stopped run goes on where it was.

    A clip is done again where its captions, the model or the settings have changed. The same seed gives the same
    captions, whatever was done before.

    Returns:
        What the clips have now, by id.

    Raises:
        StorageError: There is no space; what was written before is kept.
    """
    known = read_synthetic(file) if file.is_file() else {}
    out = SyntheticFile(file)
    done: dict[str, SyntheticCaptions] = {}
    for clip in progress(clips):
        told, asked = instruction(settings), question(clip)
        key = content_key(told=told, asked=asked, model=writer.name, settings=settings.model_dump())
        found = known.get(clip.id)
        if found is None or found.key != key:
            found = _write_for(clip, writer, told, asked, settings, key)
            out.add(found)
        done[clip.id] = found
    return done


def _write_for(
    clip: Clip, writer: Writer, told: str, asked: str, settings: SynthesisSettings, key: str
) -> SyntheticCaptions:
    captions: list[str] = []
    refused: dict[str, int] = {}
    attempt = 0
    while attempt < settings.attempts and len(captions) < settings.captions:
        seed = zlib.crc32(f"{settings.seed} {clip.id} {attempt}".encode())
        verdict = usable_captions(writer(told, asked, seed), clip, settings, captions)
        captions += verdict.captions[: settings.captions - len(captions)]
        for reason, count in verdict.refused.items():
            refused[reason] = refused.get(reason, 0) + count
        attempt += 1
    problem = ""
    if len(captions) < settings.captions:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items())) or "no captions in it"
        problem = f"{len(captions)} of {settings.captions} usable: {reasons}"
        _logger.warning("%s: %s", clip.id, problem)
    return SyntheticCaptions(clip.id, tuple(captions), attempt, problem, key)


class LocalWriter(Writer):
    """A causal language model of `transformers` from a folder.

    Args:
        folder: With its configuration, tokenizer and weights. Code in it is never run.
        settings: How it draws.
        device: "auto" takes CUDA where there is one.

    Raises:
        ModelError: The folder holds no such model.
    """

    def __init__(
        self, folder: Path, settings: SynthesisSettings, *, device: Literal["auto", "cpu", "cuda"] = "auto"
    ) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        if not (folder / "config.json").is_file():
            raise ModelError(f"{folder} holds no language model: there is no config.json.", "Give its folder.")
        self._device = torch.device(_device(device))
        half = self._device.type == "cuda"
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            self._model = AutoModelForCausalLM.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=torch.bfloat16 if half else torch.float32,
            )
        except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
            first = str(error).strip().split("\n")[0]
            raise ModelError(
                f"The language model in {folder} cannot be opened: {first}",
                "It needs a configuration and tokenizer that transformers knows, and weights as safetensors.",
            ) from error
        self._model.to(self._device).eval()
        self._settings = settings
        self.name = _model_name(folder)

    def __call__(self, told: str, asked: str, seed: int) -> str:
        """See `Writer`."""
        import torch

        tokens = self._tokens(told, asked).to(self._device)
        settings = self._settings
        drawing: dict[str, object] = {"do_sample": settings.temperature > 0}
        if settings.temperature > 0:
            drawing |= {"temperature": settings.temperature, "top_p": settings.nucleus}
        filler = self._tokenizer.pad_token_id
        with torch.inference_mode(), torch.random.fork_rng():
            torch.manual_seed(seed)
            answer = self._model.generate(
                tokens,
                attention_mask=torch.ones_like(tokens),
                max_new_tokens=settings.new_tokens,
                pad_token_id=filler if filler is not None else self._tokenizer.eos_token_id,
                **drawing,
            )
        return str(self._tokenizer.decode(answer[0, tokens.shape[1] :], skip_special_tokens=True))

    def _tokens(self, told: str, asked: str) -> torch.Tensor:
        """(1, tokens) by the model's own form of a conversation, or plainly where it has none."""
        if self._tokenizer.chat_template:
            messages = [{"role": "user", "content": f"{told}\n\n{asked}"}]
            text = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            # The template has written the special tokens already.
            encoded = self._tokenizer(text, return_tensors="pt", add_special_tokens=False)
        else:
            encoded = self._tokenizer(f"{told}\n\n{asked}\n\n", return_tensors="pt")
        tokens: torch.Tensor = encoded["input_ids"]
        return tokens


def _device(wanted: Literal["auto", "cpu", "cuda"]) -> str:
    import torch

    if wanted == "cuda" and not torch.cuda.is_available():
        raise ModelError("There is no CUDA device.", "Use --device cpu.")
    return "cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu"


def _model_name(folder: Path) -> str:
    """By configuration and the sizes and heads of the weight files: reading many gigabytes would take minutes."""
    parts: list[object] = [(folder / "config.json").read_text(encoding="utf-8")]
    for path in sorted(path for pattern in _WEIGHTS for path in folder.glob(pattern)):
        with path.open("rb") as file:
            parts.append([path.name, path.stat().st_size, zlib.crc32(file.read(1 << 20))])
    return f"{folder.name}-{content_key(parts=parts)[:12]}"


def synthesise_command(
    data: Folder,
    model: Annotated[Path, typer.Option(help="Folder of a causal language model of transformers.")],
    out: Annotated[Path, typer.Option(help="File for the captions (.jsonl); goes on where it was.")],
    split: Annotated[str, typer.Option(help=f"For which clips: {', '.join(SPLITS)}.")] = "train",
    captions: Annotated[int, typer.Option(min=1, max=20, help="New captions for a clip.")] = 5,
    most_words: Annotated[int, typer.Option(min=4, max=60)] = 20,
    attempts: Annotated[int, typer.Option(min=1, max=20)] = 3,
    temperature: Annotated[float, typer.Option(min=0, max=2)] = 0.7,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many clips.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    layout: LayoutName = "auto",
    exclude: Exclude = None,
) -> None:
    """Let a local language model write more captions for a data set's training clips."""
    if split not in SPLITS:
        raise typer.BadParameter(f"a split is one of {', '.join(SPLITS)}")
    if device not in ("auto", "cpu", "cuda"):
        raise typer.BadParameter("a device is auto, cpu or cuda")
    settings = SynthesisSettings(
        captions=captions, most_words=most_words, attempts=attempts, temperature=temperature, seed=seed
    )
    clips = open_dataset(data, layout, None, None, exclude or []).split(split)[:limit]
    if not clips:
        raise KnownError(f"There are no clips of the split {split}.")
    writer = LocalWriter(model, settings, device=device)  # type: ignore[arg-type]
    done = synthesise(
        clips,
        writer,
        out,
        settings,
        progress=lambda some: iter(track(some, description="captions", transient=True, console=_console)),
    )
    made = sum(len(one.captions) for one in done.values())
    short = sum(1 for one in done.values() if one.problem)
    _console.print(
        f"{made} captions for {len(done)} clips in {out}; {short} clips have fewer than asked.", markup=False
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("synthesise")(synthesise_command)
