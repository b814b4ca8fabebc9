"""Steps and calls that run once to be compiled or recorded, and then run without their Python code."""
