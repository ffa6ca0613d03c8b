"""Share what benchmarks need around their question: options, reports, clocks, memory."""
