"""Central storage in a store that speaks S3."""
