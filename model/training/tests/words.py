"""Tokenizers of one word a token for the tiny checkpoints."""

from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = [f"w{index}" for index in range(36)]
SPECIAL = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
ONE_SEGMENT, TWO_SEGMENTS = "[CLS] $A [SEP] $B [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"


def save_tokenizer(folder: Path, pair: str | None, names: list[str] | None = None) -> Path:
    """pair: how the file frames two sides, None for not at all. names: the vocabulary in the order of its ids."""
    names = names or [*SPECIAL, *WORDS]
    tokenizer = Tokenizer(models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if pair:
        tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", pair, [("[CLS]", 1), ("[SEP]", 2)])
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"
