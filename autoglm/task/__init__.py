"""From a sentence and a table's profile to a task specification."""
