"""NumPy in float64, which tells what rounding did on the engines: ``backends.use("referee")``."""
