"""Rating model: predictions, fold-in of new users, rankers, recommendations."""
