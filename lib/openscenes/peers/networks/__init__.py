"""One network of Table 1 in each file."""
