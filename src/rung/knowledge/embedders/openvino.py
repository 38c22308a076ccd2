"""A BERT encoder as an OpenVINO graph, built from its safetensors. It refuses OpenVINO's telemetry.

The graph is Devlin et al. 2018 with mean pooling and L2 norm at the end; building it takes neither torch nor an export.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from rung.types import Vectors

T = TypeVar("T", str, Sequence[int])
PAD = 16  # lengths are rounded up to it: few shapes to compile for, and the same arithmetic in any batch


def runtime() -> Any:
    """The package `openvino`, imported as if its telemetry were not installed.

    Importing it plainly reports the import to a statistics server from a forked process. Its own code falls back to a
    stub where the package `openvino_telemetry` is missing, and the import machinery takes None for missing.
    """
    hidden = sys.modules.setdefault("openvino_telemetry", None) is None  # type: ignore[arg-type]
    try:
        return import_module("openvino")
    finally:
        if hidden:
            del sys.modules["openvino_telemetry"]


def has_bf16() -> bool:
    """Whether this processor computes in bfloat16."""
    return "BF16" in runtime().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def compiled(folder: Path, precision: str, threads: int, ids: Callable[[str], Sequence[int]]) -> Callable[[Sequence[str]], Vectors]:
    """A function from texts to float32 vectors; `ids` makes token ids of a text, and each runs alone on one of `threads` cores."""
    import numpy as np

    graph = bert(folder)
    dimensions = graph.output(0).partial_shape[1].get_length()
    run = running(graph, precision, threads, ids)
    return lambda texts: np.array(run(texts), np.float32).reshape(len(texts), dimensions)


def running(graph: Any, precision: str, threads: int, ids: Callable[[T], Sequence[int]]) -> Callable[[Sequence[T]], list[Any]]:
    """A function from what `ids` makes token ids of to what the graph says of each; each runs alone on one of `threads` cores."""
    openvino = runtime()
    settings = {"INFERENCE_PRECISION_HINT": precision, "NUM_STREAMS": threads, "INFERENCE_NUM_THREADS": threads}
    settings["ENABLE_CPU_PINNING"] = False  # other work may sit on the core we would be pinned to
    # One request more than cores: the next text is made ready while each of them computes.
    queue = openvino.AsyncInferQueue(openvino.Core().compile_model(graph, "CPU", settings), threads + 1)
    lock = threading.Lock()  # the queue has one callback: two callers at once would fill each other's rows

    def run(items: Sequence[T]) -> list[Any]:
        found: list[Any] = [None] * len(items)

        def store(request: Any, number: int) -> None:
            found[number] = request.get_output_tensor(0).data[0].copy()

        with lock:
            queue.set_callback(store)
            for number in sorted(range(len(items)), key=lambda number: -len(items[number])):  # the last to end is a short one
                queue.start_async(_padded(ids(items[number])), number)
            queue.wait_all()
        return found

    return run


def _padded(row: Sequence[int]) -> dict[int, Any]:
    import numpy as np

    length = -(-len(row) // PAD) * PAD
    ids, mask = np.zeros((1, length), np.int64), np.zeros((1, length), np.float32)
    ids[0, : len(row)], mask[0, : len(row)] = row, 1
    return {0: ids, 1: mask}


def bert(folder: Path) -> Any:
    """The graph: ids (batch, length) int64 and mask (batch, length) float32 in, unit vectors (batch, hidden) out."""
    from safetensors.numpy import load_file

    openvino = runtime()
    op = openvino.opset13
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    ids, mask, x = _encoded(op, load_file(folder / "model.safetensors"), config)
    kept = op.unsqueeze(mask, _axes(op, 2))
    total = op.reduce_sum(op.multiply(x, kept), _axes(op, 1))
    pooled = op.divide(total, op.reduce_sum(kept, _axes(op, 1)))
    return openvino.Model([op.normalize_l2(pooled, _axes(op, 1), 1e-12, "max")], [ids, mask], "bert")


def tokens(folder: Path) -> Any:
    """The graph: ids and mask in, a unit vector for each token (batch, length, hidden) out."""
    from safetensors.numpy import load_file

    openvino = runtime()
    op = openvino.opset13
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    ids, mask, x = _encoded(op, load_file(folder / "model.safetensors"), config)
    return openvino.Model([op.normalize_l2(x, _axes(op, 2), 1e-12, "max")], [ids, mask], "tokens")


def tagger(config: dict[str, Any], weights: Any, head: str, separator: int) -> Any:
    """The graph of a head on every token: ids and mask in, logits (batch, length, outputs) out.

    What stands behind the first `separator` is BERT's second text, and gets its token type.
    """
    openvino = runtime()
    op = openvino.opset13
    ids, mask, x = _encoded(op, weights, config, separator)
    return openvino.Model([_linear(op, weights, head, x)], [ids, mask], "tagger")


def _encoded(op: Any, weights: Any, config: dict[str, Any], separator: int | None = None) -> tuple[Any, Any, Any]:
    """The parameters ids and mask, and the last hidden state (batch, length, hidden)."""
    import numpy as np

    ids, mask = op.parameter([-1, -1], np.int64, "ids"), op.parameter([-1, -1], np.float32, "mask")
    x = _embeddings(op, weights, ids, config["layer_norm_eps"], separator)
    one, far = op.constant(np.float32(1)), op.constant(np.float32(1e4))
    bias = op.multiply(op.unsqueeze(op.subtract(mask, one), _axes(op, 1, 2)), far)
    for number in range(config["num_hidden_layers"]):
        x = _layer(op, weights, f"encoder.layer.{number}.", x, bias, config)
    return ids, mask, x


def _axes(op: Any, *axes: int) -> Any:
    import numpy as np

    return op.constant(np.array(axes, np.int64))


def _embeddings(op: Any, weights: Any, ids: Any, eps: float, separator: int | None) -> Any:
    words, places, kind = (op.constant(weights[f"embeddings.{name}_embeddings.weight"]) for name in ("word", "position", "token_type"))
    length = op.gather(op.shape_of(ids), _axes(op, 1), _axes(op, 0))
    zero = _axes(op, 0)
    x = op.add(op.gather(words, ids, zero), op.slice(places, zero, length, _axes(op, 1), zero))
    x = op.add(x, op.gather(kind, zero if separator is None else _types(op, ids, separator), zero))
    return _norm(op, weights, "embeddings.LayerNorm", x, eps)


def _types(op: Any, ids: Any, separator: int) -> Any:
    """0 up to the first separator of each row, 1 behind it."""
    import numpy as np

    here = op.convert(op.equal(ids, op.constant(np.int64(separator))), np.int64)
    before = op.cum_sum(here, op.constant(np.int64(1)), True)
    return op.minimum(before, op.constant(np.int64(1)))


def _norm(op: Any, weights: Any, name: str, x: Any, eps: float) -> Any:
    centred = op.mvn(x, _axes(op, -1), True, eps, "INSIDE_SQRT")
    return op.add(op.multiply(centred, op.constant(weights[f"{name}.weight"])), op.constant(weights[f"{name}.bias"]))


def _linear(op: Any, weights: Any, name: str, x: Any) -> Any:
    return op.add(op.matmul(x, op.constant(weights[f"{name}.weight"]), False, True), op.constant(weights[f"{name}.bias"]))


def _layer(op: Any, weights: Any, name: str, x: Any, bias: Any, config: dict[str, Any]) -> Any:
    """Attention and feed-forward, each with its residual and norm after it."""
    heads, hidden, eps = config["num_attention_heads"], config["hidden_size"], config["layer_norm_eps"]

    def split(part: str) -> Any:
        y = op.reshape(_linear(op, weights, f"{name}attention.self.{part}", x), _axes(op, 0, 0, heads, hidden // heads), True)
        return op.transpose(y, _axes(op, 0, 2, 1, 3))

    seen = op.scaled_dot_product_attention(split("query"), split("key"), split("value"), bias)
    seen = op.reshape(op.transpose(seen, _axes(op, 0, 2, 1, 3)), _axes(op, 0, 0, hidden), True)
    x = _norm(op, weights, f"{name}attention.output.LayerNorm", op.add(_linear(op, weights, f"{name}attention.output.dense", seen), x), eps)
    wide = op.gelu(_linear(op, weights, f"{name}intermediate.dense", x), "erf")
    return _norm(op, weights, f"{name}output.LayerNorm", op.add(_linear(op, weights, f"{name}output.dense", wide), x), eps)
