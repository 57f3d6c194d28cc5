"""The blueprint of the HTTP API, version 1, and the converter of user ids in its paths."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.routing import IntegerConverter

USER = "<user:user_id>"

api = Blueprint("api", __name__, url_prefix="/api/v1")


class UserIdConverter(IntegerConverter):
    """A user id in a path, within the range that the library stores."""

    regex = "[0-9]{1,18}"
