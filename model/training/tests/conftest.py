import os

import pytest

from winnow_training import engine


@pytest.fixture(params=["functions", "base", "avx2", "avx512", "amx"])
def runtime(request, monkeypatch) -> float:
    """A graph's operators as functions that ONNX Runtime inlines, and as the CPU's own, at each level of the processor (at
    most what this one has). Gives how far a logit in fp32 may be off: AMX rounds what it multiplies to 17 bits."""
    if request.param == "functions":
        monkeypatch.delenv(engine.OPERATORS, raising=False)
    else:
        assert os.environ.get(engine.OPERATORS), (
            f"{engine.OPERATORS} must name libwinnow_operators.so: make test-training does"
        )
        monkeypatch.setenv("WINNOW_OPERATORS_LEVEL", request.param)
    return 3e-4 if request.param == "amx" else 1e-5
