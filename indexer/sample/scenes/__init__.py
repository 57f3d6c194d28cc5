"""Scenes of the sample's posters, drawn with shapes on a canvas."""
