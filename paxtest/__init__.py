"""paxtest: a Jepsen-style black-box linearizability tester for deployed clusters."""

from paxtest._version import __version__

__all__ = ["__version__"]
