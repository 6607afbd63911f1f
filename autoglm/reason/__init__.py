"""Answers that were checked: numbers, expressions, steps, verifiers, and the reasoner over them."""
