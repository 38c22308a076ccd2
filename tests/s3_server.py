"""A real HTTP server that speaks S3 for a test, with a bucket on it, named to clients by the AWS_* variables."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

import httpx


@contextmanager
def s3() -> Iterator[str]:
    """An address such as s3://bucket/folder. It changes the environment; whoever asks puts it back."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request otherwise
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": address, "AWS_ENDPOINT": address, "AWS_ALLOW_HTTP": "true"}
    try:
        httpx.put(f"{address}/knowledge").raise_for_status()
        yield "s3://knowledge/of"
    finally:
        server.stop()
