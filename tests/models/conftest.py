"""One random model and one adapter for all tests of this wing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_model import save_random_adapter, save_random_model


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_model(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture(scope="session")
def adapter_folders(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    home = tmp_path_factory.mktemp("adapters")
    return save_random_adapter(model_folder, home / "one", 1), save_random_adapter(model_folder, home / "two", 2)
