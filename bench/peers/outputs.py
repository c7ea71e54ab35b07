"""Compares what two engines say of the same pairs."""

import math

Row = list[float] | None


def decide(logits: list[Row], manifest: dict) -> list[str]:
    """The decision on each pair, under the bundle's calibration and thresholds."""
    calibration, severe = manifest["calibration"], manifest["labels"].index("severe")
    low, high = manifest["thresholds"]["review"]["value"], manifest["thresholds"]["severe"]["value"]

    def decision(row: Row) -> str:
        if row is None:
            return "review"
        scaled = [value / calibration["temperature"] + bias for value, bias in zip(row, calibration["biases"], strict=True)]
        weights = [math.exp(value - max(scaled)) for value in scaled]
        probability = weights[severe] / sum(weights)
        return "severe" if probability >= high else "review" if probability >= low else "approved"

    return [decision(row) for row in logits]


def largest_difference(logits: list[Row], others: list[Row]) -> float:
    """Of any logit, each row shifted to a mean of 0: some peers give probabilities alone, which fix no more than that."""
    return max(
        abs(mine - theirs)
        for row, other in zip(logits, others, strict=True)
        if row is not None and other is not None
        for mine, theirs in zip(centred(row), centred(other), strict=True)
    )


def centred(row: list[float]) -> list[float]:
    mean = sum(row) / len(row)
    return [value - mean for value in row]


def differing(decisions: list[str], others: list[str]) -> int:
    return sum(mine != theirs for mine, theirs in zip(decisions, others, strict=True))
