"""Model Zoo: one learner a file, its search space beside it."""
