"""What is measured, and against what. `make bench` prints the table that docs/performance.md keeps."""
