"""Fine-tunes a checkpoint so that its 8-bit graph decides what its fp32 graph decides (quantisation-aware training).

Every batch runs twice: in fp32, and with inputs and weights rounded as the quantised graph rounds them. The loss asks the
first for the labels and the second for the first's logits; gradients pass through the rounding as if it were not there.
"""

import argparse
import json
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

from winnow_training import engine
from winnow_training.checkpoint import Checkpoint
from winnow_training.deberta import layers_of
from winnow_training.device import DEVICE
from winnow_training.examples import one_hot
from winnow_training.finetune import encode, narrow_relative_positions, padded, training_batches
from winnow_training.graph import Quantiser
from winnow_training.pairs import DATA, read_judged, read_split, read_taught, select
from winnow_training.quantise import CALIBRATION_PAIRS, quantisers


class Rounding(torch.autograd.Function):
    @staticmethod
    def forward(_context, x: torch.Tensor) -> torch.Tensor:
        return x.round()

    @staticmethod
    def backward(_context, gradient: torch.Tensor) -> torch.Tensor:
        return gradient


class RoundedLinear(torch.nn.Linear):
    """A linear layer that can also compute as its product of the quantised graph does."""

    rounded = False

    def quantise(self, quantiser: Quantiser) -> None:
        self.migration, self.zero_point = torch.from_numpy(quantiser.migration).to(DEVICE), quantiser.zero_point

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.rounded:
            return super().forward(x)
        moved, zero = x * self.migration, self.zero_point
        above, below = moved.detach().amax(-1, keepdim=True) / (255 - zero), -moved.detach().amin(-1, keepdim=True) / zero
        scale = torch.maximum(above, below).clamp_min(1e-12)
        codes = Rounding.apply(moved / scale).clamp(-zero, 255 - zero)
        return torch.nn.functional.linear(codes * scale, self._rounded_weight(), self.bias)

    def _rounded_weight(self) -> torch.Tensor:
        """As grid.encode_rows(weights / migration, paired=True) rounds."""
        weight = self.weight / self.migration
        size = weight.detach().abs()
        peaks = torch.maximum(size.amax(1), (size[:, 0::2] + size[:, 1::2]).amax(1) * (127 / 127.9))
        scales = (peaks.clamp_min(1e-12) / 127).unsqueeze(1)
        return Rounding.apply(weight / scales) * scales


def rounded_layers(model, choices: dict[str, Quantiser]) -> list[RoundedLinear]:
    """Turns the linear layers behind the quantised products into RoundedLinear, in place."""
    layers = []
    for product, quantiser in choices.items():
        for name in layers_of(product):
            layer = model.get_submodule(name)
            layer.__class__ = RoundedLinear
            layer.quantise(quantiser)
            layers.append(layer)
    return layers


@contextmanager
def rounded(layers: list[RoundedLinear]) -> Iterator[None]:
    for layer in layers:
        layer.rounded = True
    try:
        yield
    finally:
        for layer in layers:
            layer.rounded = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--taught", type=Path, help="file of teach; as many of its pairs as there are judged ones join them")
    parser.add_argument("--count", type=int, default=14400, help="pairs to train on")
    parser.add_argument("--learning-rate", type=float, default=2e-5)
    parser.add_argument("--agreement", type=float, default=1.0, help="weight of the logits' agreement in the loss")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    generator = random.Random(options.seed)
    split = read_split(DATA / "split.csv")
    judged = [pair for pairs in read_judged().values() for pair in select(pairs, split, "train")]
    examples = [(pair, one_hot(pair.label)) for pair in judged]
    if options.taught:
        taught = read_taught(options.taught)
        examples += [(pair, pair.probabilities) for pair in generator.sample(taught, min(len(judged), len(taught)))]
    examples = generator.sample(examples, min(options.count, len(examples)))

    checkpoint = Checkpoint(options.checkpoint)
    reader = engine.load_tokenizer(checkpoint.file("tokenizer.json"), 128)
    choices = quantisers(checkpoint, 128, reader, random.Random(0).sample(judged, CALIBRATION_PAIRS))
    tokenizer = AutoTokenizer.from_pretrained(options.checkpoint)
    # No dropout: both runs must agree.
    model = AutoModelForSequenceClassification.from_pretrained(options.checkpoint).to(DEVICE).eval()
    layers = rounded_layers(model, choices)
    rows = encode(tokenizer, [pair for pair, _ in examples])
    targets = torch.tensor([target for _, target in examples], device=DEVICE)
    narrow_relative_positions(model, max(map(len, rows)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=0.0, fused=True)
    batches = training_batches(list(range(len(rows))), rows, options.batch_size, generator)
    schedule = get_linear_schedule_with_warmup(optimizer, len(batches) // 10, len(batches))
    started = time.monotonic()
    for done, batch in enumerate(batches, start=1):
        inputs = padded([rows[index] for index in batch], tokenizer.pad_token_id)
        exact = model(**inputs).logits
        with rounded(layers):
            near = model(**inputs).logits
        agreement = ((near - exact) ** 2).sum(dim=1).mean()
        loss = -(targets[batch] * exact.log_softmax(dim=1)).sum(dim=1).mean() + options.agreement * agreement
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if done % 25 == 0:
            spent = time.monotonic() - started
            print(
                f"step {done}/{len(batches)} loss {loss.item():.3f} agreement {agreement.item():.4f} {spent:.0f}s",
                flush=True,
            )
    model.save_pretrained(options.out)
    tokenizer.save_pretrained(options.out)
    shutil.copyfile(options.checkpoint / "training.json", options.out / "training.json")
    noted = json.loads((options.out / "training.json").read_text())
    noted["settled"] = {"count": len(rows), "learning_rate": options.learning_rate, "agreement": options.agreement}
    (options.out / "training.json").write_text(json.dumps(noted, indent=2) + "\n")


if __name__ == "__main__":
    main()
