"""Makes a checkpoint small: drops vocabulary that its training language never uses and rounds weights to the int8 grid.

The result is an ordinary Hugging Face checkpoint in fp32. Because its weights already lie on the grid, the graph builder
can store them in one byte each without changing what the checkpoint computes.
"""

import argparse
import json
import shutil
import unicodedata
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from winnow_training.grid import round_rows

EMBEDDING = "deberta.embeddings.word_embeddings.weight"


def is_foreign(piece: str) -> bool:
    """Placeholders, and pieces with a letter of another script than Latin: an English model cannot judge those."""
    if piece.startswith("[unused"):
        return True
    return any(char.isalpha() and "LATIN" not in unicodedata.name(char, "") for char in piece)


def prune_vocabulary(tokenizer: dict) -> tuple[dict, list[int]]:
    """The tokenizer.json without foreign pieces, and the old ids of the pieces that stay, in their new order."""
    vocabulary = tokenizer["model"]["vocab"]
    kept = [piece for piece in sorted(vocabulary, key=vocabulary.get) if not is_foreign(piece)]
    renumbered = {piece: index for index, piece in enumerate(kept)}
    tokenizer["model"]["vocab"] = renumbered
    for token in tokenizer["added_tokens"]:
        token["id"] = renumbered[token["content"]]
    for special in tokenizer["post_processor"]["special_tokens"].values() if tokenizer["post_processor"] else ():
        special["ids"] = [renumbered[token] for token in special["tokens"]]
    # A pair is cut and padded by whoever assembles it, never by the tokenizer.
    tokenizer["truncation"] = tokenizer["padding"] = None
    return tokenizer, [vocabulary[piece] for piece in kept]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    tokenizer, kept = prune_vocabulary(json.loads((options.checkpoint / "tokenizer.json").read_text()))
    weights = load_file(options.checkpoint / "model.safetensors")
    weights[EMBEDDING] = weights[EMBEDDING][kept]
    for name, tensor in weights.items():
        if tensor.ndim == 2 and "position_embeddings" not in name and "classifier" not in name:
            weights[name] = round_rows(tensor.astype(np.float32))
    config = json.loads((options.checkpoint / "config.json").read_text())
    config["vocab_size"] = len(kept)
    config["pad_token_id"] = tokenizer["model"]["vocab"]["[PAD]"]
    save_file(weights, options.out / "model.safetensors", metadata={"format": "pt"})
    (options.out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (options.out / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")))
    for name in ("tokenizer_config.json", "training.json"):
        if (options.checkpoint / name).exists():
            shutil.copy(options.checkpoint / name, options.out / name)
    print(f"{options.out}: {len(kept)} pieces, weights on the int8 grid")


if __name__ == "__main__":
    main()
