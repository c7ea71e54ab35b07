"""Writes what others make of some pairs: the ids of Hugging Face's tokenizer, the logits of its model on torch, and those of
the bundle's graph on ONNX Runtime in Python, pair by pair.

The Go tests hold the tokenizer and the engine against this file, so it must be written anew with every starter bundle.
"""

import argparse
import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

from winnow_training import engine
from winnow_training.pairs import DATA, read_pairs, read_split, select
from winnow_training.text import fold

LONG = "organic whole grain gluten free artisan sourdough crackers with rosemary and sea salt " * 20
AWKWARD = [
    ("", "Oat flakes"),
    ("Breakfast", ""),
    ("", ""),
    ("Vegan desserts", "a [SEP] b [CLS] c [PAD] d [MASK] e"),
    ("Café brunch", "Cre\u0300me bru\u0302le\u0301e"),  # combining characters
    ("Café brunch", "Crème brûlée"),
    ("Breakfast", "Oat\x00flakes\x00with pork"),
    ("Breakfast", "tab\tnew\nline\u00a0no-break\u200bzero-width"),
    ("寿司の夜", "サーモン 巻き寿司"),
    ("Party 🎉", "🍕🍕🍕 pizza"),
    ("Shellfish-free dinner", "Shrimp🦐 and rice bowl"),
    ("Halal✅ breakfasts", "bac\u00adon™ 5㎏, p★rk, пoрк"),
    ("Breakfast", LONG),
    (LONG, "Oat flakes"),
    (LONG, LONG),
    ("Breakfast " * 64, "Oat " * 61),
    ("Breakfast", "İSTANBUL ẞtraße ﬁnest №1 ½ pound"),
]


def rounded(logits: list[float]) -> list[float]:
    return [round(logit, 6) for logit in logits]


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True, help="what was built from the checkpoint")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--real", type=int, default=100, help="pairs of unseen themes besides the awkward ones")
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(options.checkpoint / "tokenizer.json"))
    tokenizer.enable_truncation(options.max_tokens, strategy="longest_first")
    tokenizer.encode_special_tokens = True  # "[SEP]" in a title is text
    model = AutoModelForSequenceClassification.from_pretrained(options.checkpoint).eval()
    real = select(read_pairs(DATA / "judged_pairs.csv"), read_split(DATA / "split.csv"), "test")
    step = len(real) // options.real
    served, goldens = engine.session(options.bundle / "model.onnx", threads=1), []
    for theme, title in AWKWARD + [(pair.theme, pair.title) for pair in real[::step][: options.real]]:
        ids = tokenizer.encode(fold(theme), fold(title)).ids
        tokens = torch.tensor([ids])
        mask = torch.ones_like(tokens)
        exact = model(input_ids=tokens, attention_mask=mask).logits[0].tolist()
        graph = served.run(["logits"], {"input_ids": tokens.numpy(), "attention_mask": mask.numpy()})[0][0].tolist()
        goldens.append({"theme": theme, "title": title, "ids": ids, "checkpoint": rounded(exact), "logits": rounded(graph)})
    rows = ",\n".join(json.dumps(golden) for golden in goldens)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(f"[\n{rows}\n]\n")
    print(f"{options.out}: {len(goldens)} pairs")


if __name__ == "__main__":
    main()
