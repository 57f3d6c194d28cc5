from pathlib import Path

import pytest

from index.errors import BadData
from server.config import ServerConfig


def test_settings_come_from_the_environment() -> None:
    environ = {"POSTERITY_DATA": "/srv/posterity", "POSTERITY_UPLOAD_QUEUE": "9"}
    assert ServerConfig.from_env(environ) == ServerConfig(Path("/srv/posterity"), 9)
    assert ServerConfig.from_env({}) == ServerConfig()


@pytest.mark.parametrize("value", ["0", "-1", "many", ""])
def test_a_setting_that_cannot_be_used_is_named(value: str) -> None:
    with pytest.raises(BadData, match=f"POSTERITY_UPLOAD_QUEUE is '{value}'"):
        ServerConfig.from_env({"POSTERITY_UPLOAD_QUEUE": value})
