"""What is trained, measured and reported: profiles, runs, tables and their notebooks."""
