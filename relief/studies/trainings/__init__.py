"""Studies that train: runs of the scripts, one after the other, and labels that are scored."""
