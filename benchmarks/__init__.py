"""Speed and memory, as ratios against named alternatives: see README.md."""
