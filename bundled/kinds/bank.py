"""All kinds, and the ones kept out of training so that a test meets things nobody has trained on."""

from importlib import import_module
from pathlib import Path

from bundled.kinds import Kind

MODULES = sorted(p.stem for p in Path(__file__).parent.glob("*.py") if p.stem not in ("__init__", "names", "bank", "drill"))
KINDS: tuple[Kind, ...] = tuple(kind for module in MODULES for kind in import_module(f"bundled.kinds.{module}").KINDS)
HELD_OUT = ("warranty", "gift card")
TEST_KINDS: tuple[Kind, ...] = tuple(k for k in KINDS if k.name in HELD_OUT)
TRAIN_KINDS: tuple[Kind, ...] = tuple(k for k in KINDS if k.name not in HELD_OUT)
