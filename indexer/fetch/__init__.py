"""Downloads from MovieLens, TMDB and Keras: resumable, verified and atomic."""
