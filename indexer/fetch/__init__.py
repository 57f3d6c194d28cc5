"""What others publish, on to the disk: MovieLens, posters, weights. Each step resumes, checks, and ends whole."""
