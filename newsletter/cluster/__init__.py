"""Several machines: the same functions as jobs of a queue in PostgreSQL, a batch a job."""
