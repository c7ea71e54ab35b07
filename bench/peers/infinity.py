"""Infinity's engine, in its own process and without HTTP, so that it pays for scoring alone.

Its rerank flattens the logits and so has no use for a model with three labels; the pairs go through classify, joined by
the separator token.
"""

import asyncio
import json
import math
import os

import serve
from infinity_emb import AsyncEmbeddingEngine, EngineArgs


def main() -> None:
    parser = serve.arguments(__doc__)
    parser.add_argument("--engine", choices=["torch", "optimum"], required=True)
    options = parser.parse_args()
    labels = json.loads((options.model / "config.json").read_text())["id2label"]
    order = [labels[str(at)] for at in range(len(labels))]
    options.pairs, options.logits = options.pairs.absolute(), options.logits.absolute()
    # From inside the model's folder, since the optimum engine takes a graph's absolute path for its name there.
    os.chdir(options.model)
    engine = AsyncEmbeddingEngine.from_args(
        EngineArgs(
            model_name_or_path=".",
            engine=options.engine,
            device="cpu",
            batch_size=serve.BATCH,
            model_warmup=False,
        )
    )
    loop = asyncio.new_event_loop()
    loop.run_until_complete(engine.astart())

    def score(pairs: serve.Pairs) -> serve.Rows:
        texts = [f"{theme}[SEP]{title}" for theme, title in pairs]
        classes, _ = loop.run_until_complete(engine.classify(sentences=texts))
        rows = []
        for row in classes:
            probabilities = {entry["label"]: entry["score"] for entry in row}
            # A probability's logarithm is its logit but for a constant, which softmax ignores.
            rows.append([math.log(probabilities[label]) for label in order])
        return rows

    serve.serve(options, score)
    loop.run_until_complete(engine.astop())


if __name__ == "__main__":
    main()
