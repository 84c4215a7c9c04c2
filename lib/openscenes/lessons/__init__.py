"""Explorers and figures of the lessons, one subpackage each."""
