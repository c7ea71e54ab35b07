import os

import pytest

from winnow_training import engine


@pytest.fixture(params=["functions", "base", "avx2", "avx512"])
def runtime(request, monkeypatch):
    """A graph's operators as functions that ONNX Runtime inlines, and as the CPU's own, at each level of the processor (at
    most what this one has)."""
    if request.param == "functions":
        monkeypatch.delenv(engine.OPERATORS, raising=False)
    else:
        assert os.environ.get(engine.OPERATORS), (
            f"{engine.OPERATORS} must name libwinnow_operators.so: make test-training does"
        )
        monkeypatch.setenv("WINNOW_OPERATORS_LEVEL", request.param)
