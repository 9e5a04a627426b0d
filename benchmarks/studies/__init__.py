"""Studies of our own classifiers: hours of training, resumable, one table and one figure each."""
