"""Shared by all tests: what must not be left behind, and which real parts this machine has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


def _docker_reason() -> str | None:
    from paxtest.cluster import docker_available

    return docker_available()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = [item for item in items if item.get_closest_marker("docker")]
    if not wanted:
        return
    reason = _docker_reason()
    if reason is not None:
        for item in wanted:
            item.add_marker(pytest.mark.skip(reason=f"no Docker engine answers: {reason}"))


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No container, network or process of ours that was not there before may be there after."""
    from commandline import containers, leftovers

    before = {*containers(), *leftovers()}
    yield
    left = {*containers(), *leftovers()} - before
    assert not left, f"the tests left these behind: {sorted(left)}"
