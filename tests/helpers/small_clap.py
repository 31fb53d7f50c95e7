"""A CLAP checkpoint with drawn weights, small enough for unit tests, as `transformers` saves it."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ("<s>", "<pad>", "</s>", "<unk>", "a", "dog", "barks", "rain", "door", "slams", "heavy", "falls")
DIMENSION = 24


def write_clap(folder: Path, *, fused: bool = False) -> Path:
    """Write config.json, preprocessor_config.json, model.safetensors and tokenizer.json."""
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(5)
    config = ClapConfig(
        projection_dim=DIMENSION,
        text_config={
            "vocab_size": len(WORDS),
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 90,
            "projection_dim": DIMENSION,
        },
        audio_config={
            "patch_embeds_hidden_size": 16,
            "hidden_size": 128,
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 1, 2, 2],
            "num_hidden_layers": 4,
            "enable_fusion": fused,
            "projection_dim": DIMENSION,
        },
    )
    model = ClapModel(config).eval()
    (folder / "config.json").write_text(json.dumps(config.to_dict(), default=str))
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, folder / "model.safetensors")
    truncation = "fusion" if fused else "rand_trunc"
    ClapFeatureExtractor(truncation=truncation).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
