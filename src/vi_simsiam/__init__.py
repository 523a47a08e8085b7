"""VI-SimSiam: self-supervised representations with their uncertainty (arXiv 2203.11437)."""
