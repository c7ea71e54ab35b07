"""One operator of the domain "winnow" in a graph of its own."""

import numpy as np
from onnx import helper, numpy_helper

from winnow_training import engine
from winnow_training.operators import DOMAIN, OPSET, functions


def run(
    kind: str,
    inputs: dict[str, np.ndarray],
    outputs: dict[str, int],
    constants: dict[str, np.ndarray] | None = None,
    **attributes,
) -> list[np.ndarray]:
    constants = constants or {}
    node = helper.make_node(kind, [*inputs, *constants], list(outputs), domain=DOMAIN, **attributes)
    given = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in inputs.items()
    ]
    made = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()]
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(
        helper.make_graph([node], "one", given, made, stored), opset_imports=opsets, functions=functions({kind})
    )
    model.ir_version = 10
    return engine.session(model.SerializeToString(), threads=1).run(list(outputs), inputs)
