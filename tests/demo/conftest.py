"""One running demo for the tests that only look; those that stop it start their own."""

from collections.abc import Iterator

import pytest

from tests.demo.process import DemoProcess


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    with DemoProcess(tmp_path_factory.mktemp("a folder with spaces")) as running:
        yield running
