"""Tuner Core: what to try, in what order, how long, and how to blend what came out."""
