"""The sample catalogue: invented movies with generated posters and simulated ratings."""

from indexer.sample.catalogue import FAMILIES, SampleMovie, sample_movies
from indexer.sample.make import make_sample
from indexer.sample.simulate import LatentModel, SimulatedRatings, latent_model, simulated_ratings

__all__ = [
    "FAMILIES",
    "LatentModel",
    "SampleMovie",
    "SimulatedRatings",
    "latent_model",
    "make_sample",
    "sample_movies",
    "simulated_ratings",
]
