"""sentence-transformers' CrossEncoder on one of its backends. Its predict sorts the pairs by length itself."""

import serve
from sentence_transformers import CrossEncoder


def main() -> None:
    parser = serve.arguments(__doc__)
    parser.add_argument("--backend", choices=["torch", "onnx", "openvino"], required=True)
    parser.add_argument("--graph", help="file of the graph in the model's folder, for the backends that load one")
    options = parser.parse_args()
    arguments = {"file_name": options.graph} if options.graph else {}
    if options.backend == "onnx":
        arguments["provider"] = "CPUExecutionProvider"
    model = CrossEncoder(
        str(options.model),
        backend=options.backend,
        device="cpu",
        max_length=options.max_tokens,
        local_files_only=True,
        model_kwargs=arguments,
    )
    serve.serve(options, lambda pairs: model.predict(pairs, batch_size=serve.BATCH).tolist())


if __name__ == "__main__":
    main()
