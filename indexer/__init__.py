"""The offline work: data sets, posters, embedding, training, publishing a snapshot."""
