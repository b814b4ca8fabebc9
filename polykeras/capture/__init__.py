"""Steps and calls that run once to be compiled or recorded, and then without their Python code."""
