"""Writes the model of the last checkpoint: `python -m bundled.export RUN OUT`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def main() -> None:
    """Weights in bf16 and tokenizer into OUT."""
    import torch

    from bundled.train import build

    run, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    model = build(run, torch)
    model.load_state_dict(torch.load(run / "resume.pt", weights_only=True)["model"])
    model.to(torch.bfloat16).save_pretrained(out)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(run / name, out / name)


if __name__ == "__main__":
    main()
