"""Which layers of the checkpoint a product of the graph joins: settling rounds those that the 8-bit graph rounds."""

from pathlib import Path

import pytest

from winnow_training.checkpoint import Checkpoint
from winnow_training.deberta import Deberta, layers_of

TINY = Path(__file__).parent / "tiny"


@pytest.mark.parametrize("variant", ["absolute", "shared", "convolution"])
def test_every_product_names_layers_that_the_checkpoint_has(variant):
    checkpoint = Checkpoint(TINY / variant)
    builder = Deberta(checkpoint, 48)
    builder.build()
    layers = [layer for product in builder.graph.products for layer in layers_of(product)]
    assert any(layer.endswith("query_proj") for layer in layers) and any(layer.endswith("key_proj") for layer in layers)
    missing = [layer for layer in layers if f"{layer}.weight" not in checkpoint.weights and ".position" not in layer]
    assert missing == []
