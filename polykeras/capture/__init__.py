"""Steps and calls that are run once to be compiled or written down, and from then on run without their Python."""
