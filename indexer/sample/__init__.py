"""The sample catalogue: invented films with generated posters and simulated ratings."""

from indexer.sample.catalogue import FAMILIES, Film, films
from indexer.sample.make import make_sample
from indexer.sample.simulate import Ratings, Truth, ratings, truth

__all__ = ["FAMILIES", "Film", "Ratings", "Truth", "films", "make_sample", "ratings", "truth"]
