"""Poster maps: lay movies out in the plane and draw sprite sheets."""
