from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from small_captioner import KINDS, WORDS, save_small_captioner
from sound import noise, tone, write_sound

from core.captioning.card import CARD_FILE, WEIGHTS_FILE, WORDS_FILE
from core.captioning.memory import CaptionMemory
from core.captioning.shipped import Captioner, load_captioner
from core.captioning.vocabulary import Vocabulary
from core.errors import ModelError, UnusableFileError

RATE_HZ = 32_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_captioner(tmp_path_factory.mktemp("captioner"))


@pytest.fixture(scope="module")
def captioner(folder: Path) -> Captioner:
    return load_captioner(folder, device="cpu")


def test_that_a_file_gets_a_sentence_a_confidence_and_tags(captioner: Captioner, tmp_path: Path) -> None:
    guess = captioner.caption(write_sound(tmp_path / "a.wav", noise(1.0)))
    assert guess.text[0].isupper()
    assert set(guess.text.lower().split()) <= set(WORDS)
    assert 0.0 < guess.confidence < 1.0
    assert guess.is_sure == (guess.confidence >= captioner.card.confidence.threshold)
    assert 1 <= len(guess.tags) <= captioner.card.tagging.most
    assert all(tag in KINDS or tag.startswith("class ") for tag in guess.tags)
    assert guess.text not in guess.alternatives


def test_that_the_same_file_is_described_in_the_same_words(captioner: Captioner, folder: Path, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(3.0, seed=4))
    assert captioner.caption(path) == captioner.caption(path) == load_captioner(folder, device="cpu").caption(path)


def test_that_samples_are_described_as_their_file_is(captioner: Captioner, tmp_path: Path) -> None:
    samples = noise(1.5, RATE_HZ, seed=2)
    path = write_sound(tmp_path / "a.wav", samples, RATE_HZ, subtype="FLOAT")
    assert captioner.caption(samples[:, 0]) == captioner.caption(path)


def test_that_no_caption_ends_in_the_middle(captioner: Captioner) -> None:
    for seed in range(8):
        guess = captioner.caption(noise(0.8, RATE_HZ, seed=seed)[:, 0])
        for text in (guess.text, *guess.alternatives)[:1]:
            assert text.split()[-1].lower() not in {"a", "the", "of", "and"}


def test_that_silence_is_called_silence(captioner: Captioner, tmp_path: Path) -> None:
    guess = captioner.caption(write_sound(tmp_path / "a.wav", np.zeros((48_000, 1), dtype=np.float32)))
    assert (guess.text, guess.tags, guess.is_sure) == ("Silence", ("silence",), True)


def test_that_a_long_file_is_described_by_its_loud_typical_window(captioner: Captioner, tmp_path: Path) -> None:
    hum, hiss = tone(2.0, RATE_HZ, frequency_hz=200.0), noise(2.0, RATE_HZ)
    silence = np.zeros_like(hum)
    path = write_sound(tmp_path / "a.wav", np.concatenate([hiss, hum, hum, hum, silence]), RATE_HZ, subtype="FLOAT")
    told = captioner.caption(path)
    assert told.text == captioner.caption(hum[:, 0]).text
    assert told.text != "Silence"


def test_that_a_quiet_window_does_not_speak_for_a_loud_file(captioner: Captioner) -> None:
    loud, quiet = noise(2.0, RATE_HZ)[:, 0], 0.001 * tone(6.0, RATE_HZ)[:, 0]
    assert captioner.caption(np.concatenate([quiet, loud])).text == captioner.caption(loud).text


def test_that_windows_are_described_in_turn(captioner: Captioner, tmp_path: Path) -> None:
    silence = np.zeros((2 * RATE_HZ, 1), dtype=np.float32)
    sound = np.concatenate([noise(2.0, RATE_HZ), silence, noise(1.5, RATE_HZ)])
    path = write_sound(tmp_path / "a.wav", sound, RATE_HZ)
    windows = list(captioner.caption_windows(path))
    assert [window.span.start_s for window in windows] == [0.0, 2.0, 4.0]
    assert windows[1].guess.text == "Silence"
    assert windows[0].guess.text != "Silence"


def test_that_a_tail_too_short_to_say_anything_is_left_out(captioner: Captioner, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", noise(4.5, RATE_HZ), RATE_HZ)
    assert len(list(captioner.caption_windows(path))) == 2


def test_that_a_file_that_is_no_sound_is_refused(captioner: Captioner, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_text("no sound at all", encoding="utf-8")
    with pytest.raises(UnusableFileError):
        captioner.caption(path)


def test_that_no_samples_are_refused(captioner: Captioner) -> None:
    with pytest.raises(ValueError, match="expected samples"):
        captioner.caption(np.zeros(0, dtype=np.float32))


def test_that_samples_that_are_no_numbers_are_refused(captioner: Captioner) -> None:
    samples = noise(1.0, RATE_HZ)[:, 0]
    samples[100] = np.nan
    with pytest.raises(UnusableFileError, match="no numbers"):
        captioner.caption(samples)


def test_that_a_card_is_read_without_torch(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from core.captioning.shipped import load_captioner;"
        f"card = load_captioner(Path({str(folder)!r})).card; assert card.id == 'small-captioner-1.0.0';"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[4])


@pytest.mark.parametrize("name", [WEIGHTS_FILE, WORDS_FILE])
def test_that_a_changed_file_is_noticed(name: str, tmp_path: Path) -> None:
    folder = save_small_captioner(tmp_path)
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match="damaged"):
        load_captioner(folder, device="cpu").caption(noise(1.0, RATE_HZ)[:, 0])


def test_that_a_missing_file_is_named(tmp_path: Path) -> None:
    folder = save_small_captioner(tmp_path)
    (folder / WEIGHTS_FILE).unlink()
    with pytest.raises(ModelError, match=f"{WEIGHTS_FILE} is missing"):
        load_captioner(folder, device="cpu").caption(noise(1.0, RATE_HZ)[:, 0])


def test_that_a_card_of_something_else_is_refused(tmp_path: Path) -> None:
    folder = save_small_captioner(tmp_path)
    fields = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    (folder / CARD_FILE).write_text(json.dumps({**fields, "kind": "dual-encoder"}), encoding="utf-8")
    with pytest.raises(ModelError, match="of no captioner"):
        load_captioner(folder)


def test_that_weights_of_another_size_than_the_card_says_are_refused(tmp_path: Path) -> None:
    folder = save_small_captioner(tmp_path)
    fields = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    fields["architecture"]["decoder"]["options"]["width"] = 32
    (folder / CARD_FILE).write_text(json.dumps(fields), encoding="utf-8")
    with pytest.raises(ModelError, match="decoder does not fit its weights"):
        load_captioner(folder, device="cpu").caption(noise(1.0, RATE_HZ)[:, 0])


def knowing(captioner: Captioner, sound: np.ndarray, said: str) -> CaptionMemory:
    """A memory of a sound and of its opposite."""
    placed = captioner.writer.hear([sound]).embedding
    words = Vocabulary(WORDS)
    memory = CaptionMemory(sounds=2, dimension=placed.shape[1], longest=9)
    memory.learn(torch.cat([placed, -placed]), [words.encode(said), words.encode("the door slams")])
    return memory


def test_that_what_was_said_of_a_known_sound_is_said_of_one_like_it(captioner: Captioner, tmp_path: Path) -> None:
    known = noise(1.5, RATE_HZ, seed=2)[:, 0]
    said = "the sound of rain and a dog barks"
    assert captioner.caption(known).text.lower() != said
    folder = save_small_captioner(tmp_path, memory=knowing(captioner, known, said))
    assert load_captioner(folder, device="cpu").caption(0.9 * known).text.lower() == said


def test_that_a_memory_of_words_that_are_not_known_is_refused(captioner: Captioner, tmp_path: Path) -> None:
    known = noise(1.5, RATE_HZ, seed=2)[:, 0]
    memory = knowing(captioner, known, "a dog barks")
    memory.captions[0, 0] = len(WORDS) + 4
    folder = save_small_captioner(tmp_path, memory=memory)
    with pytest.raises(ModelError, match="memory is of sounds or words"):
        load_captioner(folder, device="cpu").caption(known)
