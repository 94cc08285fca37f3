"""Parts that say how sure labels are: one number in [0, 1] per pixel, from one kind of evidence."""
