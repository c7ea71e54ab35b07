"""Writes every graph that the peers load from one checkpoint, in folders laid out as they expect a model:

stock/                  stock.onnx, the usual torch.onnx export, and stock_int8.onnx, onnxruntime's dynamic int8 of it
sentence-transformers/  onnx/model.onnx, exported by optimum, and onnx/model_qint8.onnx, its dynamic int8;
                        openvino/openvino_model.xml, and openvino/openvino_model_qint8_quantized.xml, the same in int8,
                        calibrated by NNCF on pairs of training themes
optimum/                model.onnx again, alone, as Infinity looks for it
"""

import argparse
import json
import random
import shutil
from pathlib import Path

import nncf
import openvino
from onnxruntime.quantization import QuantType, quantize_dynamic
from sentence_transformers import CrossEncoder, export_dynamic_quantized_onnx_model

from winnow_training import stock
from winnow_training.pairs import DATA, read_pairs, read_split, select

BATCH = 32
CALIBRATION_PAIRS = 320


def instructions() -> str:
    """The name that optimum gives the int8 kernels of this processor."""
    known = Path("/proc/cpuinfo").read_text()
    return "avx512_vnni" if "avx512_vnni" in known else "avx512" if "avx512f" in known else "avx2"


def export_stock(checkpoint: Path, target: Path) -> None:
    target.mkdir()
    shutil.copy(checkpoint / "tokenizer.json", target)
    config = json.loads((checkpoint / "config.json").read_text())
    # hugot refuses a token that is null, where transformers means that there is none.
    (target / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    stock.export(checkpoint, target / "stock.onnx")
    # The matrix products alone and per channel: everything in int8 decides differently more often.
    quantize_dynamic(
        target / "stock.onnx",
        target / "stock_int8.onnx",
        weight_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["MatMul"],
    )


def export_onnx(folder: Path) -> None:
    model = CrossEncoder(str(folder), backend="onnx", model_kwargs={"export": True, "provider": "CPUExecutionProvider"})
    model.save_pretrained(str(folder))
    export_dynamic_quantized_onnx_model(model, instructions(), str(folder), file_suffix="qint8")


def export_openvino(folder: Path, max_tokens: int) -> None:
    model = CrossEncoder(str(folder), backend="openvino", max_length=max_tokens, model_kwargs={"export": True})
    model.save_pretrained(str(folder))
    xml = folder / "openvino" / "openvino_model.xml"
    graph = openvino.Core().read_model(xml)
    names = [value.get_any_name() for value in graph.inputs]

    def feed(batch: list) -> dict:
        features = model.tokenizer(
            [pair.theme for pair in batch],
            [pair.title for pair in batch],
            padding=True,
            truncation="longest_first",
            max_length=max_tokens,
            return_tensors="np",
        )
        return {name: features[name] for name in names}

    training = select(read_pairs(DATA / "judged_pairs.csv"), read_split(DATA / "split.csv"), "train")
    sample = random.Random(0).sample(training, CALIBRATION_PAIRS)
    batches = [sample[start : start + BATCH] for start in range(0, len(sample), BATCH)]
    quantised = nncf.quantize(
        graph, nncf.Dataset(batches, feed), subset_size=len(batches), model_type=nncf.ModelType.TRANSFORMER
    )
    openvino.save_model(quantised, xml.with_name("openvino_model_qint8_quantized.xml"), compress_to_fp16=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--max-tokens", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True, help="a folder that does not exist yet")
    options = parser.parse_args()
    options.out.mkdir()
    export_stock(options.checkpoint, options.out / "stock")
    folder = options.out / "sentence-transformers"
    shutil.copytree(options.checkpoint, folder)
    export_onnx(folder)
    export_openvino(folder, options.max_tokens)
    shutil.copytree(options.checkpoint, options.out / "optimum")
    shutil.copy(folder / "onnx" / "model.onnx", options.out / "optimum")


if __name__ == "__main__":
    main()
