"""Labels unjudged pairs with a teacher's probabilities, for `finetune --taught`.

The teacher is one fine-tuned classifier, or several whose probabilities are averaged, and two opinions beside them. Where
the food facts show that a title breaks its theme's constraint, their own probability joins as one more opinion of equal
weight. Where the letters of data/knowledge.txt judge the pair, their word counts as much as all classifiers: a broken pair
gains severe, a kept one loses it, and relevant and weak share the rest as the classifiers would.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from winnow_training.finetune import encode, logits_of
from winnow_training.foods import FoodFacts
from winnow_training.metrics import softmax
from winnow_training.opinions import breaks, opinion_of_facts, with_letters
from winnow_training.pairs import DATA, LABELS, UnjudgedPair, read_pairs, read_split, read_unjudged, select


def probabilities_of(checkpoint: Path, pairs: list[UnjudgedPair]) -> np.ndarray:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint)
    return softmax(logits_of(model, encode(tokenizer, pairs), tokenizer.pad_token_id))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, nargs="+", help="checkpoints of finetune")
    parser.add_argument("--unjudged", type=Path, required=True, help="file of unjudged")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    facts = FoodFacts()
    pairs = read_unjudged(options.unjudged)
    usda = read_pairs(DATA / "judged_pairs.csv")
    fact = opinion_of_facts(facts, select(usda, read_split(DATA / "split.csv"), "train"))
    probabilities = np.mean([probabilities_of(teacher, pairs) for teacher in options.teacher], axis=0)
    broken = np.array([pair.broken is None and breaks(facts, pair) for pair in pairs])
    probabilities[broken] = (probabilities[broken] * len(options.teacher) + fact) / (len(options.teacher) + 1)
    probabilities = with_letters(probabilities, [pair.broken for pair in pairs])
    with open(options.out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["theme", "title", *LABELS])
        for pair, row in zip(pairs, probabilities, strict=True):
            writer.writerow([pair.theme, pair.title, *(f"{value:.4f}" for value in row)])
    print(
        f"{options.out}: {len(pairs)} pairs, {broken.sum()} broken by the food facts, mean {probabilities.mean(0).round(3)}"
    )


if __name__ == "__main__":
    main()
