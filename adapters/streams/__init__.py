"""The bus on Redis Streams. FastStream and redis-py live here and nowhere else."""
