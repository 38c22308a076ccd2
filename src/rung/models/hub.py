"""A chat model from a Hugging Face repository, by way of huggingface_hub's own cache; then it is `local`.

It refuses to fetch anything but JSON, templates and safetensors.
"""

from __future__ import annotations

from pathlib import Path

from rung.errors import ModelError
from rung.models.local import LocalModel, open_local

_WANTED = ["*.json", "*.jinja", "*.safetensors"]


def open_hub(repository: str, adapter: Path | None = None, **options: object) -> LocalModel:
    """The repository's model, from the cache where it is there, else downloaded. ModelError where neither works."""
    return open_local(snapshot(repository), adapter, **options)


def snapshot(repository: str) -> Path:
    """The folder of the repository in the local cache, downloaded where it is not there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, allow_patterns=_WANTED, local_files_only=True))
    except LocalEntryNotFoundError:
        pass  # not in the cache: ask the hub
    except HFValidationError as error:
        raise ModelError(f"'{repository}' is no name of a repository", "write hf:<owner>/<name>") from error
    try:
        return Path(snapshot_download(repository, allow_patterns=_WANTED))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"the model {repository} is not in the local cache and can't be downloaded",
            f"on a machine with a connection run `hf download {repository} --local-dir <folder>`, bring the folder, and use local:<folder>",
        ) from error


def cached(repository: str) -> bool:
    """Whether the repository is in the local cache; nothing is downloaded."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        snapshot_download(repository, allow_patterns=_WANTED, local_files_only=True)
    except (LocalEntryNotFoundError, HFValidationError):
        return False
    return True
