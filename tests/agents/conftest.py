"""Fixtures of the tests with real agents: the stub of their models, and attn around one agent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.agent_homes import HOMES, USUAL, AgentHome, login_profile
from tests.agents.attn_home import AgentSession, AttnHome
from tests.agents.model_stub import ModelStub


@pytest.fixture
def model() -> Iterator[ModelStub]:
    """The stub of both model APIs."""
    with ModelStub() as stub:
        yield stub


@pytest.fixture(params=USUAL)
def agent(request: pytest.FixtureRequest, model: ModelStub, tmp_path: Path) -> AgentHome:
    """Each agent in turn, or the one that a test names by indirect parametrisation."""
    folder = tmp_path / "agent"
    folder.mkdir()
    return HOMES[request.param](folder, model.url)


@pytest.fixture
def attn(agent: AgentHome, tmp_path: Path) -> Iterator[AttnHome]:
    """An attn of its own; its programs and its daemon are gone afterwards."""
    login = tmp_path / "login"
    login.mkdir()
    home = AttnHome(tmp_path, agent, login_profile(agent, login))
    yield home
    home.close()


@pytest.fixture
def session(attn: AttnHome) -> AgentSession:
    """The agent in a session, ready for a prompt."""
    return attn.start()
