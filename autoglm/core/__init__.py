"""What every room stands on: the task specification, errors, budgets, the journal."""
