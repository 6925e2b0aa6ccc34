"""Jobs on disk, so that another process can continue a job whose own process is gone."""
