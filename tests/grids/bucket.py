"""A bucket on a loopback S3 server (moto) for tests, and the environment that leads to it."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer


@contextlib.contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Starts a server; gives the environment of its users."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "test-key",
            "AWS_SECRET_ACCESS_KEY": "test-secret-canary",
            "AWS_REGION": "us-east-1",
        }
    finally:
        server.stop()


def new_bucket(environment: dict[str, str], patch: pytest.MonkeyPatch) -> str:
    """Makes a bucket; returns a URL in it. Sets the environment of this process."""
    import boto3

    for name, value in environment.items():
        patch.setenv(name, value)
    name = f"facegrid-{uuid.uuid4().hex[:12]}"
    boto3.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"], region_name="us-east-1").create_bucket(Bucket=name)
    return f"s3://{name}/team/store"
