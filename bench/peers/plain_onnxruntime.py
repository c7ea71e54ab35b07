"""A graph on plain onnxruntime with Hugging Face tokenizers, in batches padded to their longest pair."""

from pathlib import Path

import numpy as np
import onnxruntime
import serve
from tokenizers import Tokenizer


class Classifier:
    def __init__(self, graph: Path, tokenizer: Path, max_tokens: int):
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.tokenizer.enable_truncation(max_tokens, strategy="longest_first")
        self.tokenizer.enable_padding(pad_id=self.tokenizer.token_to_id("[PAD]"))
        self.session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])

    def logits(self, pairs: serve.Pairs) -> np.ndarray:
        rows = []
        for start in range(0, len(pairs), serve.BATCH):
            encodings = self.tokenizer.encode_batch(pairs[start : start + serve.BATCH])
            feed = {
                "input_ids": np.array([encoding.ids for encoding in encodings], np.int64),
                "attention_mask": np.array([encoding.attention_mask for encoding in encodings], np.int64),
            }
            rows.append(self.session.run(["logits"], feed)[0])
        return np.concatenate(rows)


def main() -> None:
    parser = serve.arguments(__doc__)
    parser.add_argument("--graph", required=True, help="file of the graph in the model's folder")
    parser.add_argument("--sorted", action="store_true", help="score the pairs in the order of their length")
    options = parser.parse_args()
    classifier = Classifier(options.model / options.graph, options.model / "tokenizer.json", options.max_tokens)

    def score(pairs: serve.Pairs) -> serve.Rows:
        return classifier.logits(pairs).tolist()

    serve.serve(options, serve.by_length(score) if options.sorted else score)


if __name__ == "__main__":
    main()
