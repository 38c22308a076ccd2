"""What `rung serve` costs in front of an engine, beside the engine alone, and whether it keeps its word under load.

Ours and the engine alone are asked in turns, by the same clients, in the same run. It refuses to hide what an answer waits for:
latency and throughput are of whole answers, streamed, from the first byte sent to the last one read.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench._clients import Client, Heard
from bench._storm import storm

QUESTION = [{"role": "user", "content": "How long does the warranty of the kettle last?"}]
AT_ONCE = 32  # clients of the throughput
GAP = 20  # milliseconds between the echo engine's tokens, as of a 7 B model for one reader
TOKENS = 32


def run(small: bool = False) -> dict[str, object]:
    """`overhead_p50_ms` and `throughput_share` with the echo engine (and `llama_…` ones), `wrong_version` of the storm."""
    figures: dict[str, object] = {}
    print(f"{'engine':<12} {'':<16} {'alone':>10} {'through rung':>13}")
    with tempfile.TemporaryDirectory() as scratch:
        with echo(0) as at:
            figures |= _latency("echo", Path(scratch), at, 50 if small else 500)
        with echo(GAP) as at:
            figures |= _throughput("echo", Path(scratch), at, 4 if small else 20)
        figures |= _llama(Path(scratch), small=small)
        figures |= _retrieval(Path(scratch), 20 if small else 200)
        figures |= storm(Path(scratch) / "storm", 20 if small else 300)
    return figures


@contextmanager
def echo(gap: float) -> Iterator[int]:
    """The port of an echo engine in a process of its own."""
    with _started([sys.executable, "-m", "bench._echo", "0", str(gap)]) as process:
        assert process.stdout
        yield int(process.stdout.readline())


@contextmanager
def rung(folder: Path, port: int, name: str, more: str = "") -> Iterator[int]:
    """The port of `rung serve` in front of an engine."""
    (folder / "docs").mkdir(parents=True, exist_ok=True)
    (folder / "docs" / "warranty.md").write_text("# Warranty\n\nThe warranty of the kettle lasts three years.\n", encoding="utf-8")
    (folder / "cases.jsonl").write_text(json.dumps({"id": "1", "question": "How long?", "answer": "three years"}) + "\n", encoding="utf-8")
    toml = f'[model]\nname = "endpoint:{name}@http://127.0.0.1:{port}/v1"\nmax_tokens = {TOKENS}\n{more}'
    (folder / "rung.toml").write_text(toml, encoding="utf-8")
    with _started([sys.executable, "-m", "rung", "serve", str(folder), "--port", "0"]) as process:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("serving on "), line
        yield int(line.rsplit(":", 1)[1])


@contextmanager
def _started(command: list[str], *, heard: bool = True) -> Iterator[subprocess.Popen[str]]:
    """A process until the end of the block. What one writes that nobody hears is thrown away: a full pipe would stop it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE if heard else subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def asked(model: str, tokens: int = TOKENS) -> dict[str, Any]:
    """The same request for the engine and for us."""
    return {"model": model, "messages": QUESTION, "max_tokens": tokens, "stream": True, "temperature": 0}


def _latency(name: str, scratch: Path, engine: int, count: int) -> dict[str, object]:
    """Milliseconds, one client, in turns: whole answers of 8 tokens that come at once."""
    with rung(scratch / f"{name}-latency", engine, name) as ours:
        alone, through = asyncio.run(_in_turns(Client(engine), Client(ours), name, count))
    overhead = sorted(theirs - own for own, theirs in zip(alone, through, strict=True))
    figures = {f"overhead_p{share}_ms": round(1000 * overhead[len(overhead) * share // 100], 3) for share in (50, 95)}
    told = f"{1000 * median(alone):>10.2f} {1000 * median(through):>13.2f}   +{figures['overhead_p50_ms']:.2f} ms"
    print(f"{name:<12} {'p50, ms':<16} {told}")
    return _named(name, figures)


async def _in_turns(engine: Client, ours: Client, name: str, count: int) -> tuple[list[float], list[float]]:
    alone, through = [], []
    for number in range(count + 20):
        first, second = await engine.ask(asked(name, 8)), await ours.ask(asked("prompt", 8))
        _right(first, second)
        if number >= 20:  # connections, caches and imports are warm
            alone.append(first.whole)
            through.append(second.whole)
    return alone, through


def _throughput(name: str, scratch: Path, engine: int, rounds: int) -> dict[str, object]:
    """Answers a second of `AT_ONCE` clients that ask again as soon as they were answered, in turns."""
    with rung(scratch / f"{name}-throughput", engine, name, "[model.options]\nconcurrency = 64\n") as ours:
        rates: dict[str, list[float]] = {"alone": [], "through": []}
        for number in range(max(2, rounds // 4) + 1):
            for kind, port, model in (("alone", engine, name), ("through", ours, "prompt")):
                rate = asyncio.run(_rate(port, model, 4))
                rates[kind] += [rate] if number else []
    alone, through = median(rates["alone"]), median(rates["through"])
    print(f"{name:<12} {'answers/s':<16} {alone:>10.1f} {through:>13.1f}   {through / alone:.1%}")
    figures = {"throughput_share": round(through / alone, 4), "answers_per_second": round(through, 2)}
    return _named(name, figures)


async def _rate(port: int, model: str, rounds: int) -> float:
    async def client() -> None:
        one = Client(port)
        for _ in range(rounds):
            heard = await one.ask(asked(model))
            assert heard.ended, heard.events[-1:]
        one.close()

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(AT_ONCE)))
    return AT_ONCE * rounds / (time.perf_counter() - begun)


def _retrieval(scratch: Path, count: int) -> dict[str, object]:
    """What of an answer's time goes to finding passages, with an engine that takes none."""
    with echo(0) as engine, rung(scratch / "rag", engine, "echo") as ours:
        heard = asyncio.run(_answers(Client(ours), count))
    share = median(one.rung["retrieval_seconds"] / one.whole for one in heard)
    spent = median(one.rung["retrieval_seconds"] for one in heard)
    print(f"{'echo, rag':<12} {'retrieval, ms':<16} {'':>10} {1000 * spent:>13.2f}   {share:.0%} of the answer")
    return {"retrieval_ms": round(1000 * spent, 3), "retrieval_share": round(share, 3)}


async def _answers(client: Client, count: int) -> list[Heard]:
    return [await client.ask(asked("rag", 8)) for _ in range(count + 5)][5:]


def _llama(scratch: Path, *, small: bool) -> dict[str, object]:
    """The same with llama.cpp's own server and the bundled model as GGUF; left out where it is not installed."""
    try:
        import fastapi  # noqa: F401
        import llama_cpp  # noqa: F401
        import sse_starlette  # noqa: F401
        import starlette_context  # noqa: F401
    except ModuleNotFoundError as error:
        print(f"llama.cpp's server left out: {error}")
        return {}
    with ExitStack() as stack:
        engine = stack.enter_context(_llama_server(scratch))
        return _latency("llama", scratch, engine, 20 if small else 100) | _throughput("llama", scratch, engine, 4 if small else 12)


@contextmanager
def _llama_server(scratch: Path) -> Iterator[int]:
    import urllib3

    from rung.models.bundled import folder
    from rung.models.gguf import write_gguf
    from rung.serve.listening import open_socket

    file = write_gguf(folder("tiny"), scratch / "tiny.gguf")
    with open_socket("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(file), "--port", str(port), "--n_ctx", "2048", "--verbose", "False"]
    command += ["--interrupt_requests", "False"]
    with _started(command, heard=False):
        for _ in range(600):
            try:
                urllib3.request("GET", f"http://127.0.0.1:{port}/v1/models", retries=False)
                break
            except urllib3.exceptions.HTTPError:
                time.sleep(0.1)
        yield port


def _right(first: Heard, second: Heard) -> None:
    assert first.status == second.status == 200, (first.events, second.events)
    assert first.text.split() == second.text.split(), (first.text, second.text)


def _named(name: str, figures: dict[str, Any]) -> dict[str, object]:
    """The echo engine's figures have no prefix."""
    return {(key if name == "echo" else f"{name}_{key}"): value for key, value in figures.items()}
