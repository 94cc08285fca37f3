"""Labels of a mean teacher: views fused, thresholds by class, a loss that knows how sure."""
