"""Lesson 7: what the image in the user's box says of an object, and of a mask without truth."""
