"""Objects as cuts: of a graph of similar patches, then in the point cloud of their depth."""
