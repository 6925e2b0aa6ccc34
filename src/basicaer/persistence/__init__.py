"""Jobs on disk: what is needed to go on with one after the process that ran it is gone."""
