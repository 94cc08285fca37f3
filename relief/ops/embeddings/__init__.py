"""Objects as clusters of pixel embeddings, inside semantic masks and merged with them."""
