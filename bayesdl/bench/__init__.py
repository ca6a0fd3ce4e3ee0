"""Models with known answers, and timings beside other libraries."""
