"""The blueprint of the HTTP API, version 1."""

from __future__ import annotations

from flask import Blueprint

USER = "<user_id>"  # a number, or the data set's own id: views are given the number

api = Blueprint("api", __name__, url_prefix="/api/v1")
