"""Throughput and memory of the connector, as ratios inside one run, so that a noisy machine cancels out."""
