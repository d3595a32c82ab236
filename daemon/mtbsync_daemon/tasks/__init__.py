"""What children do, one module a kind of job: `run(params, work)`, plain values in and out."""
