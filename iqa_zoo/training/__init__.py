"""From opinion scores to weights: recipes, the cached trunk, the run's folder."""
